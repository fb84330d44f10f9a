/**
 * The plugin's editors and queries in a real browser, by keyboard: run by `npm run browser` in datasource/ after both bundles are made.
 * Pictures go to datasource/dist-tests/pictures/. One check is one call of `check`; all are run, and any failure fails the program.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Backend } from './backend.mjs';

const plugin = join(dirname(fileURLToPath(import.meta.url)), '../../datasource');
const { chromium } = createRequire(join(plugin, 'package.json'))('playwright-core');
const pictures = join(plugin, 'dist-tests/pictures');
mkdirSync(pictures, { recursive: true });

const backend = new Backend([join(plugin, 'dist-tests/harness'), join(plugin, 'dist')]);
const address = await backend.listen();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 760 }, locale: 'en-GB', timezoneId: 'UTC' });
page.setDefaultTimeout(30_000);

/** What the browser complains about; what Grafana's own libraries complain about among themselves is not ours. */
const complaints = [];
const THEIRS = [
  /public.fonts/,
  /status of 502/,
  /Support for defaultProps will be removed/,
  /findDOMNode is deprecated/,
  /React Router Future Flag/,
  /deprecated/i,
];
page.on('console', (message) => {
  if (['error', 'warning'].includes(message.type()) && !THEIRS.some((it) => it.test(`${message.text()} ${message.location().url}`))) {
    complaints.push(`${message.text().slice(0, 600)} ${message.location().url}`);
  }
});
page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));

const only = process.argv[2];
const failed = [];
async function check(name, test) {
  if (only && !name.includes(only)) {
    return;
  }
  complaints.length = 0;
  try {
    await test();
    assert.deepEqual(complaints, [], 'the browser complains');
    console.log(`ok      ${name}`);
  } catch (error) {
    failed.push(name);
    console.log(`FAILED  ${name}\n${error.stack ?? error}\n${complaints.join('\n')}`);
    await page.screenshot({ path: join(pictures, `failed-${failed.length}.png`) }).catch(() => {});
  }
}

const mount = async (what, saved, variables = [], dark = false) => {
  await page.evaluate((given) => window.chaoscope.mount(...given), [what, saved, variables, dark]);
  await page.locator('main > *').first().waitFor();
};
/** As it would be stored. */
const saved = async () => JSON.parse(await page.evaluate(() => JSON.stringify(window.chaoscope.saved)));
const picture = (name) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
const press = async (...keys) => {
  for (const key of keys) {
    await page.keyboard.press(key);
  }
};
/** Tabs on until what has this name has the focus: so it can be reached by keyboard, and has a name. */
const tabTo = async (name) => {
  const found = page.locator(':focus');
  for (let count = 0; count < 80; count++) {
    await page.keyboard.press('Tab');
    const label = await page.evaluate(() => {
      const it = document.activeElement;
      const by = it?.getAttribute('aria-labelledby');
      return (
        it?.getAttribute('aria-label') ||
        it?.labels?.[0]?.innerText ||
        (by && document.getElementById(by)?.innerText) ||
        it?.innerText ||
        ''
      );
    });
    if (label.trim().startsWith(name)) {
      return found;
    }
  }
  throw new Error(`no way by Tab to ${name}`);
};
/** Chooses in the open-on-typing list that has the focus. */
const choose = async (text) => {
  await page.keyboard.type(text);
  await page.locator('[role=option], [id*=-option-]').filter({ hasText: text }).first().waitFor();
  await page.keyboard.press('Enter');
};
/** Everything one can act on has a name. */
const nameless = () =>
  page.evaluate(() => {
    const acts = [
      ...document.querySelectorAll('main button, main input, main textarea, main select, main [role=combobox], main div[tabindex="0"]'),
    ];
    const named = (it) =>
      it.getAttribute('aria-label') ||
      it.getAttribute('aria-labelledby') ||
      it.labels?.length ||
      it.innerText?.trim() ||
      it.type === 'hidden' ||
      it.getAttribute('aria-hidden') === 'true';
    return acts.filter((it) => !named(it)).map((it) => it.outerHTML.slice(0, 200));
  });
const until = async (what, condition) => {
  for (let count = 0; count < 150; count++) {
    if (await condition()) {
      return;
    }
    await page.waitForTimeout(100);
  }
  throw new Error(`never: ${what}`);
};

await page.goto(address);
await page
  .waitForFunction(() => window.chaoscope, undefined, { timeout: 60_000 })
  .catch((error) => {
    console.log(complaints.join('\n'));
    throw error;
  });
console.log(`React ${await page.evaluate(() => window.chaoscope.react)}`);

for (const part of ['editors', 'queries']) {
  const { default: checks } = await import(`./${part}.mjs`);
  await checks({ check, mount, saved, picture, press, tabTo, choose, nameless, until, page, backend });
}

await browser.close();
backend.close();
if (failed.length > 0) {
  console.error(`${failed.length} failed: ${failed.join('; ')}`);
  process.exit(1);
}
