/**
 * The dashboards against Grafana's own types, by the TypeScript compiler: `npm run dashboards` in datasource/.
 *
 * Two versions' types, as their makers publish them: 10.1, the oldest that the dashboards are for (generated from that release's schemas), and
 * the one the plugin is built with. Each dashboard is written out as a literal of those types, so that a name that is not there, a value that
 * is none of an enumeration's, and a number for a text are all errors. What has a default there may be left out here. Last, each kind of
 * mistake is made on purpose, and has to be found.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const plugin = join(root, 'datasource');
const ts = createRequire(join(plugin, 'package.json'))('typescript');
const folder = join(plugin, 'dist-tests/dashboards');

/** The types of each kind of panel: its options, and what is its own in a field's settings. */
const PANELS = ['stat', 'timeseries', 'heatmap', 'statetimeline', 'table', 'text'];
const IN_10 = PANELS.map((it) => `import type * as ${it} from 'grafana-10-1/${it}';`).join('\n');
/** Of these, 10.1's published types know less than 10.1's own panels. */
const LOOSE = { heatmap: ['legend', 'rowsFrame', 'tooltip'] };

const HEAD = `
import type * as ten from 'grafana-10-1/dashboard';
import type * as prometheus from 'grafana-10-1/prometheus';
import type * as built from '../../node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
${IN_10}
/** As JSON has it: enumerations by their values, defaults left out. */
type Plain<T> = 0 extends 1 & T ? any : T extends string ? (string extends T ? T : \`\${T}\`) : T extends (infer E)[] ? Plain<E>[]
  : T extends object ? { [K in keyof T as K extends \`_\${string}\` ? never : K]?: Plain<T[K]> } : T;
type Target = Plain<prometheus.dataquery>;
`;

const literal = (type, value) => `((_: ${type}) => {})(${JSON.stringify(value, null, 1)});\n`;
const without = (value, ...keys) => Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));

/** The dashboard as TypeScript. */
function written(dashboard) {
  const { panels, templating, annotations, ...rest } = dashboard;
  let text = HEAD + literal('Plain<ten.Dashboard>', rest) + literal('Plain<built.Dashboard>', without(rest, 'style'));
  for (const variable of templating.list) {
    text += literal('Plain<built.VariableModel>', without(variable, 'current', 'definition'));
    text += literal('Plain<ten.VariableModel>', without(variable, 'definition'));
  }
  for (const layer of annotations.list) {
    // What a datasource adds is not in the types of layers.
    const own = without(layer, 'target', 'expr', 'step', 'titleFormat', 'textFormat', 'tagKeys');
    text += literal('Plain<ten.AnnotationQuery>', without(own, 'builtIn')) + literal('Plain<built.AnnotationQuery>', own);
  }
  for (const panel of panels) {
    const { targets = [], options = {}, fieldConfig, ...frame } = panel;
    if (panel.type === 'row') {
      text += literal('Plain<ten.RowPanel>', panel) + literal('Plain<built.RowPanel>', panel);
      continue;
    }
    const kind = panel.type.replace('-', '');
    text += literal('Plain<ten.Panel>', frame) + literal('Plain<built.Panel>', frame);
    text += literal(`Plain<${kind}.Options>`, without(options, ...(LOOSE[kind] ?? [])));
    const { custom, ...defaults } = fieldConfig.defaults;
    text += literal('Plain<ten.FieldConfigSource>', { ...fieldConfig, defaults }) + literal('Plain<built.FieldConfig>', defaults);
    if (custom && kind !== 'heatmap') {
      text += literal(`Plain<${kind === 'table' ? 'import("grafana-10-1/common").TableFieldOptions' : `${kind}.FieldConfig`}>`, custom);
    }
    for (const target of targets) {
      text += literal('Target', target);
    }
  }
  return text;
}

/** What the compiler says, a line each. */
function faults(dashboards) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = Object.entries(dashboards).map(([name, dashboard]) => {
    writeFileSync(join(folder, `${name}.ts`), written(dashboard));
    return join(folder, `${name}.ts`);
  });
  const options = { strict: true, noEmit: true, skipLibCheck: true, moduleResolution: ts.ModuleResolutionKind.Bundler, module: ts.ModuleKind.ESNext, types: [] };
  return ts.getPreEmitDiagnostics(ts.createProgram(files, { ...options, target: ts.ScriptTarget.ES2022 })).map((it) => {
    const line = it.file && ts.getLineAndCharacterOfPosition(it.file, it.start).line + 1;
    return `${it.file?.fileName.split('/').at(-1)}:${line}: ${ts.flattenDiagnosticMessageText(it.messageText, '\n').slice(0, 400)}`;
  });
}

const names = readdirSync(join(root, 'dashboards')).filter((it) => it.endsWith('.json'));
const dashboards = Object.fromEntries(names.map((it) => [it.replace('.json', ''), JSON.parse(readFileSync(join(root, 'dashboards', it), 'utf8'))]));
const found = faults(dashboards);
if (names.length < 5 || found.length > 0) {
  console.error(`${names.length} dashboards; ${found.length} faults\n${found.slice(0, 40).join('\n')}`);
  process.exit(1);
}

/** Each has to be found; otherwise the check above says nothing. */
const MISTAKES = {
  'no such key of a dashboard': (it) => (it.titel = 'x'),
  'no such key of a panel': (it) => (it.panels[0].descripton = 'x'),
  'a number for a text': (it) => (it.panels[0].title = 5),
  'no such option': (it) => (it.panels[0].options.graphmode = 'none'),
  'no such value of an option': (it) => (it.panels[0].options.colorMode = 'rainbow'),
  'no such format': (it) => (it.panels[0].targets[0].format = 'tables'),
  'no such sort': (it) => (it.templating.list[1].sort = 99),
};
const spoiled = Object.entries(MISTAKES).map(([name, spoil], at) => {
  const copy = structuredClone(dashboards.overview);
  spoil(copy);
  return [`mistake-${at}`, copy, name];
});
const said = faults(Object.fromEntries(spoiled.map(([file, copy]) => [file, copy])));
const missed = spoiled.filter(([file]) => !said.some((it) => it.startsWith(`${file}.ts`)));
if (missed.length > 0) {
  console.error(`not found: ${missed.map(([, , name]) => name).join('; ')}`);
  process.exit(1);
}
console.log(`${names.length} dashboards are as Grafana's types have them; ${spoiled.length} mistakes were found`);
