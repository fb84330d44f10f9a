/**
 * Makes docs/pictures/ of the dashboards, by hand: `node tests/dashboards/pictures/draw.mjs SESSION.json` after `npm ci` in datasource/.
 *
 * SESSION.json is what a Prometheus answered to every panel of every dashboard, with all variables at All:
 * `{start, end, step, runs, dashboards: {NAME: [{id, results: [the result of each target]}]}}`, times in seconds; `runs` as the API lists them.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const plugin = join(root, 'datasource');
const require = createRequire(join(plugin, 'package.json'));
const { chromium } = require('playwright-core');
const { build } = require('esbuild');
const session = JSON.parse(readFileSync(process.argv[2], 'utf8'));

/** What is on each picture: panels and rows by title, none: all; `runs`: names of those that are drawn as annotations. */
const PICTURES = JSON.parse(readFileSync(join(here, 'pictures.json'), 'utf8'));

const folder = join(plugin, 'dist-tests/pictures-of-dashboards');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
// What esbuild makes of this CommonJS module, imported from a module, is its whole, and not its default.
const scrollbars = join(folder, 'scrollbars.js');
writeFileSync(scrollbars, `export { Scrollbars as default } from ${JSON.stringify(require.resolve('react-custom-scrollbars-2'))};`);
await build({
  bundle: true,
  logLevel: 'warning',
  entryPoints: [join(here, 'page.jsx')],
  outfile: join(folder, 'page.js'),
  format: 'iife',
  target: 'es2021',
  jsx: 'transform',
  nodePaths: [join(plugin, 'node_modules')],
  alias: { 'react-custom-scrollbars-2': scrollbars },
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'text', '.woff2': 'empty', '.woff': 'empty', '.ttf': 'empty' },
});
writeFileSync(
  join(folder, 'index.html'),
  '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="/uplot.css"><div id="root"></div>' +
    '<script>window.grafanaBootData = { settings: { featureToggles: {}, buildInfo: {} }, user: {}, navTree: [] };</script><script src="/page.js"></script>'
);
copyFileSync(join(plugin, 'node_modules/uplot/dist/uPlot.min.css'), join(folder, 'uplot.css'));
const images = join(plugin, 'node_modules/@grafana/ui/dist/public');
const server = createServer((request, response) => {
  const path = request.url === '/' ? '/index.html' : request.url.split('?')[0];
  const from = path.startsWith('/public/') ? join(images, path.slice('/public/'.length)) : join(folder, path);
  const type = { js: 'text/javascript', html: 'text/html', svg: 'image/svg+xml', css: 'text/css' }[path.split('.').at(-1)];
  if (!existsSync(from)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': type ?? 'application/octet-stream' }).end(readFileSync(from));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic'],
});
mkdirSync(join(root, 'docs/pictures'), { recursive: true });
for (const [name, { dashboard, titles, height, runs: wanted }] of Object.entries(PICTURES)) {
  const page = await browser.newPage({ viewport: { width: 1400, height: height ?? 1200 }, locale: 'en-GB', timezoneId: 'UTC' });
  page.on('pageerror', (error) => process.stderr.write(`${name}: ${error.stack}\n`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const json = JSON.parse(readFileSync(join(root, 'dashboards', `${dashboard}.json`), 'utf8'));
  const { start, end, step, runs, dashboards } = session;
  await page.evaluate((given) => window.draw(...given), [
    json,
    dashboards[dashboard],
    { start, end, step },
    titles,
    wanted ? runs.filter((it) => wanted.includes(it.name)) : null,
  ]);
  await page.locator('main').waitFor({ timeout: 20_000 });
  await page.waitForTimeout(1500);
  await page.locator('main').screenshot({ path: join(root, 'docs/pictures', `${name}.png`) });
  await page.close();
}
await browser.close();
server.close();
