/**
 * Makes what is loaded: `node bundle.js` the plugin's front in dist/, `node bundle.js unit` the unit tests and `node bundle.js harness` the
 * page of the browser tests in dist-tests/.
 *
 * Grafana loads module.js as AMD and hands in the libraries it shares, by name. esbuild writes no AMD, so its CommonJS is wrapped: the names
 * it asks for become the list of `define`. @grafana/schema and @grafana/i18n are not shared; only types are taken from them.
 */
import { build } from 'esbuild';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);

/** What Grafana shares with plugins since 10.4. `react/jsx-runtime` is not in every version, so JSX becomes `React.createElement`. */
const SHARED = [
  '@grafana/data',
  '@grafana/runtime',
  '@grafana/ui',
  '@emotion/css',
  'react',
  'react-dom',
  'rxjs',
  'rxjs/operators',
  'lodash',
  'moment',
];

const COMMON = {
  bundle: true,
  logLevel: 'warning',
  target: 'es2021',
  jsx: 'transform',
  define: { 'process.env.NODE_ENV': '"production"' },
};

async function front() {
  const version = JSON.parse(readFileSync('package.json', 'utf8')).version;
  const options = { ...COMMON, entryPoints: ['src/module.ts'], outfile: 'dist/module.js', format: 'cjs', external: SHARED, minify: true };
  const asked = await build({ ...options, write: false, metafile: true });
  const imports = Object.values(asked.metafile.outputs).flatMap((output) => output.imports);
  const names = [...new Set(imports.filter((it) => it.external).map((it) => it.path))].sort();
  rmSync('dist', { recursive: true, force: true });
  await build({
    ...options,
    sourcemap: true,
    banner: {
      js:
        `/* Chaoscope ${version}, Apache-2.0 */\n` +
        `define(${JSON.stringify(names)}, function (...shared) {\n` +
        `const names = ${JSON.stringify(names)}, require = (name) => shared[names.indexOf(name)], module = { exports: {} };`,
    },
    footer: { js: 'return module.exports;\n});' },
  });
  const day = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000)) * 1000).toISOString().slice(0, 10);
  const plugin = readFileSync('src/plugin.json', 'utf8').replace('%VERSION%', version).replace('%TODAY%', day);
  writeFileSync('dist/plugin.json', plugin);
  cpSync('src/img', 'dist/img', { recursive: true });
  cpSync('src/dashboards', 'dist/dashboards', { recursive: true });
  for (const [from, to] of [
    ['README.md', 'README.md'],
    ['CHANGELOG.md', 'CHANGELOG.md'],
    ['../LICENSE', 'LICENSE'],
  ]) {
    copyFileSync(from, join('dist', to));
  }
}

async function unit() {
  const tests = readdirSync('tests').filter((name) => name.endsWith('.test.ts'));
  rmSync('dist-tests/unit', { recursive: true, force: true });
  await build({
    ...COMMON,
    entryPoints: tests.map((name) => join('tests', name)),
    outdir: 'dist-tests/unit',
    platform: 'node',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
  });
}

/** Scenes asks the schema for the defaults of the table panel, which its published files lack. No table is shown here. */
const tableDefaults = {
  name: 'table defaults',
  setup({ onLoad }) {
    onLoad({ filter: /schema.dist.esm.raw.composable.table.panelcfg.x.*\.mjs$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      return { contents: /export \{[^}]*defaultOptions/.test(text) ? text : `${text}\nexport const defaultOptions = {};`, loader: 'js' };
    });
  },
};

/**
 * The libraries Grafana would share, and the page that mounts the bundled plugin with them. The plugin's one bundle has to work with React 18
 * (Grafana up to 13.1) and 19: `harness 19` takes that. `LIBRARIES` takes all of them from another folder, for another version of Grafana.
 */
async function harness(react) {
  const libraries = process.env.LIBRARIES ?? join(here, 'node_modules');
  const browser = join(here, '../tests/browser');
  rmSync('dist-tests/harness', { recursive: true, force: true });
  mkdirSync('dist-tests/harness', { recursive: true });
  await build({
    ...COMMON,
    entryPoints: [join(browser, 'page.jsx')],
    outfile: 'dist-tests/harness/page.js',
    format: 'iife',
    nodePaths: [libraries],
    plugins: [tableDefaults],
    alias: react === '19' ? { react: 'react-19', 'react-dom': 'react-dom-19' } : {},
    define: { 'process.env.NODE_ENV': '"development"', global: 'window' },
    loader: { '.svg': 'text', '.woff2': 'empty', '.woff': 'empty', '.ttf': 'empty' },
  });
  copyFileSync(join(browser, 'page.html'), 'dist-tests/harness/index.html');
  const images = join(libraries, '@grafana/ui/dist/public/img');
  if (existsSync(images)) {
    cpSync(images, 'dist-tests/harness/public/img', { recursive: true });
  }
}

await { front, unit, harness }[process.argv[2] ?? 'front'](...process.argv.slice(3));
