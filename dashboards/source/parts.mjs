/**
 * What dashboards are made of: panels with Grafana's defaults left out, colours, and the layout.
 *
 * Apart from the dashboards so that these say only what they show. A panel here is without id and place; `dashboard` gives both, in the order
 * of the list, left to right and line by line. To add a kind of panel: one function that answers `panel(...)`.
 */

/** Grafana 10.1. Later ones migrate it on load, without loss. */
const SCHEMA = 38;

export const PROMETHEUS = { type: 'prometheus', uid: '${prometheus}' };
export const CHAOSCOPE = { type: 'chaoscope-events-datasource', uid: '${chaoscope}' };

/** Told apart with any colour vision, on light and on dark: Okabe and Ito's. Red and green are never the only difference. */
export const COLOUR = {
  good: '#009E73',
  active: '#56B4E9',
  moving: '#CC79A7',
  warn: '#E69F00',
  bad: '#D55E00',
  unknown: '#8C8C8C',
};

/** Which colour a word of ours has, on every dashboard. */
const WORDS = {
  in_force: COLOUR.good,
  drifted: COLOUR.warn,
  missing: COLOUR.bad,
  unknown: COLOUR.unknown,
  selecting: COLOUR.unknown,
  injecting: COLOUR.moving,
  running: COLOUR.active,
  paused: COLOUR.warn,
  recovering: '#0072B2',
  finished: COLOUR.good,
  recovered: COLOUR.good,
  completed: COLOUR.active,
  no_targets: COLOUR.unknown,
  injection_failed: COLOUR.warn,
  recovery_failed: COLOUR.bad,
  forced: '#F0E442',
  lost: '#A6761D',
  connected: COLOUR.good,
  silent: COLOUR.bad,
  injected: COLOUR.active,
  pending: COLOUR.unknown,
  failed: COLOUR.bad,
  gone: COLOUR.warn,
};

/** An expression, with what its series are called. */
export const series = (expr, legendFormat = '__auto', more = {}) => ({ expr, legendFormat, ...more });

/** One sentence is enough for `description`; it says how to read the panel and what to do about it. */
function panel(type, title, description, { w = 12, h = 8, ...more }) {
  const { targets, options = {}, defaults = {}, overrides = [], transformations, links } = more;
  return {
    type,
    title,
    description,
    gridPos: { w, h },
    ...(type !== 'text' && type !== 'row' && { datasource: PROMETHEUS }),
    ...(targets && {
      targets: targets.map((it, at) => ({ refId: String.fromCharCode(65 + at), datasource: PROMETHEUS, editorMode: 'code', ...it })),
    }),
    fieldConfig: { defaults, overrides },
    options,
    ...(transformations && { transformations }),
    ...(links && { links }),
  };
}

export const thresholds = (...steps) => ({
  mode: 'absolute',
  steps: steps.map(([value, color]) => ({ color, value })),
});

/** 0 is as it should be; from 1 on it is not. */
const NONE = [{ type: 'value', options: { 0: { text: 'none', index: 0 } } }];

/** A number. With `bad`, 0 reads "none", and any more has that colour. Without an answer it says "unknown": nobody was asked. */
export const stat = (title, description, expr, { w = 4, h = 4, unit = 'short', bad, colour = COLOUR.active, decimals, mappings, link } = {}) =>
  panel('stat', title, description, {
    w,
    h,
    targets: [{ expr, instant: true }],
    defaults: {
      unit,
      noValue: 'unknown',
      ...(decimals !== undefined && { decimals }),
      mappings: mappings ?? (bad ? NONE : []),
      color: { mode: 'thresholds' },
      thresholds: bad ? thresholds([null, COLOUR.good], [1, bad]) : thresholds([null, colour]),
      ...(link && { links: [link] }),
    },
    options: {
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      textMode: 'auto',
    },
  });

const named = (words) =>
  words.map((word) => ({
    matcher: { id: 'byName', options: word },
    properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: WORDS[word] } }],
  }));

/** Lines. `words`: names of series that have a colour of their own. `none`: what it says where there is nothing to draw. */
export const graph = (
  title,
  description,
  targets,
  { w, h, unit = 'short', stack = false, bars = false, words = [], none, min = 0, max, decimals, legend = 'list' } = {}
) =>
  panel('timeseries', title, description, {
    w,
    h,
    targets: targets.map((it) => ({ range: true, ...it })),
    defaults: {
      unit,
      min,
      ...(max !== undefined && { max }),
      ...(decimals !== undefined && { decimals }),
      noValue: none ?? 'nothing was counted in this range',
      color: { mode: 'palette-classic' },
      custom: {
        drawStyle: bars ? 'bars' : 'line',
        lineInterpolation: 'linear',
        lineWidth: 1,
        fillOpacity: bars ? 70 : stack ? 30 : 8,
        showPoints: 'never',
        spanNulls: false,
        stacking: { mode: stack ? 'normal' : 'none', group: 'A' },
      },
    },
    overrides: named(words),
    options: {
      legend: { displayMode: legend, placement: 'bottom', showLegend: true, calcs: legend === 'table' ? ['lastNotNull', 'max'] : [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  });

/** Buckets over time, of a classic histogram. */
export const heatmap = (title, description, expr, { w, h, unit = 's' } = {}) =>
  panel('heatmap', title, description, {
    w,
    h,
    targets: [{ expr, legendFormat: '{{le}}', format: 'heatmap', range: true }],
    defaults: { noValue: 'nothing was counted in this range' },
    options: {
      calculate: false,
      cellGap: 1,
      color: { mode: 'scheme', scheme: 'Viridis', exponent: 0.5, fill: COLOUR.active, reverse: false, steps: 64 },
      exemplars: { color: COLOUR.bad },
      filterValues: { le: 1e-9 },
      legend: { show: true },
      rowsFrame: { layout: 'auto' },
      showValue: 'never',
      tooltip: { show: true, yHistogram: false },
      yAxis: { axisPlacement: 'left', reverse: false, unit },
    },
  });

/** Words over time: `states` are the words for 1, 2, 3 …; 0 is the word `zero`. */
export const states = (title, description, targets, words, { w = 24, h = 6, zero, none = 'none' } = {}) =>
  panel('state-timeline', title, description, {
    w,
    h,
    targets: targets.map((it) => ({ range: true, ...it })),
    defaults: {
      noValue: none,
      color: { mode: 'thresholds' },
      thresholds: thresholds([null, COLOUR.unknown]),
      custom: { fillOpacity: 80, lineWidth: 0 },
      mappings: [
        {
          type: 'value',
          options: Object.fromEntries(
            [zero, ...words].flatMap((word, value) =>
              word ? [[value, { ...(Array.isArray(word) ? { text: word[0], color: word[1] } : { text: word, color: WORDS[word] }), index: value }]] : []
            )
          ),
        },
      ],
    },
    options: {
      alignValue: 'center',
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      mergeValues: true,
      rowHeight: 0.8,
      showValue: 'auto',
      tooltip: { mode: 'single', sort: 'none' },
    },
  });

/**
 * Rows, one for each set of labels. `columns`: name → title, in order, the others are hidden; a value's name is `Value` where one question is
 * asked, else `Value #A`. `units` says what values are in, `links` where a column leads.
 */
export const table = (title, description, exprs, columns, { w = 24, h = 8, units = {}, links = {}, colours = [], none = 'none', sort } = {}) => {
  const shown = Object.keys(columns);
  const title_of = (name) => columns[name];
  return panel('table', title, description, {
    w,
    h,
    targets: exprs.map((expr) => ({ expr, format: 'table', instant: true })),
    defaults: { noValue: none, custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, minWidth: 90 } },
    overrides: [
      ...Object.entries(units).map(([name, unit]) => ({
        matcher: { id: 'byName', options: title_of(name) },
        properties: [{ id: 'unit', value: unit }],
      })),
      ...Object.entries(links).map(([name, link]) => ({
        matcher: { id: 'byName', options: title_of(name) },
        properties: [{ id: 'links', value: [link] }],
      })),
      ...colours.map((name) => ({
        matcher: { id: 'byName', options: title_of(name) },
        properties: [
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
          {
            id: 'mappings',
            value: [
              {
                type: 'value',
                options: Object.fromEntries(Object.entries(WORDS).map(([word, color], index) => [word, { color, index, text: word }])),
              },
            ],
          },
        ],
      })),
    ],
    transformations: [
      { id: 'merge', options: {} },
      { id: 'filterFieldsByName', options: { include: { names: shown } } },
      {
        id: 'organize',
        options: {
          excludeByName: {},
          indexByName: Object.fromEntries(shown.map((name, at) => [name, at])),
          renameByName: columns,
        },
      },
    ],
    options: { showHeader: true, cellHeight: 'sm', ...(sort && { sortBy: [{ displayName: title_of(sort), desc: true }] }) },
  });
};

export const text = (title, description, content, { w = 24, h = 4 } = {}) =>
  panel('text', title, description, { w, h, options: { mode: 'markdown', content } });

export const row = (title) => ({ type: 'row', title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } });

/** `label_values(…)` as Grafana asks it; `All` is anything, no value at all included. */
export const choice = (name, label, query, description) => ({
  type: 'query',
  name,
  label,
  description,
  datasource: PROMETHEUS,
  definition: query,
  query: { query, refId: `variable-${name}` },
  refresh: 2,
  sort: 1,
  regex: '',
  multi: true,
  includeAll: true,
  allValue: '.*',
  hide: 0,
  skipUrlSync: false,
  current: { selected: true, text: ['All'], value: ['$__all'] },
  options: [],
});

export const source = (name, label, plugin, description) => ({
  type: 'datasource',
  name,
  label,
  description,
  query: plugin,
  refresh: 1,
  regex: '',
  multi: false,
  includeAll: false,
  hide: 0,
  skipUrlSync: false,
  current: {},
  options: [],
});

export const WHERE = source('prometheus', 'Prometheus', 'prometheus', 'The Prometheus that scrapes Chaoscope.');

/** To another dashboard, which keeps the Prometheus that was chosen here. */
const to = (uid, title) => ({
  type: 'link',
  title,
  url: `/d/${uid}?\${prometheus:queryparam}`,
  icon: 'dashboard',
  tooltip: '',
  tags: [],
  asDropdown: false,
  targetBlank: false,
  includeVars: false,
  keepTime: true,
});

/** A cell's way to the dashboard of the experiment in its row. */
export const EXPERIMENT_LINK = {
  title: 'This experiment',
  url:
    '/d/chaoscope-experiment?${prometheus:queryparam}&${__url_time_range}' +
    '&var-namespace=${__data.fields.Namespace}&var-kind=${__data.fields.Kind}&var-experiment=${__data.fields.Experiment}',
};

const BUILT_IN = {
  builtIn: 1,
  datasource: { type: 'grafana', uid: '-- Grafana --' },
  enable: true,
  hide: true,
  iconColor: 'rgba(0, 211, 255, 1)',
  name: 'Annotations & Alerts',
  type: 'dashboard',
};

export const PAGES = [
  ['chaoscope-now', 'Chaos overview'],
  ['chaoscope-experiment', 'Chaos experiment'],
  ['chaoscope-node', 'Chaos on nodes'],
  ['chaoscope-components', 'Chaos components'],
  ['chaoscope-application', 'Example application under chaos'],
];

/** Left to right, line by line; ids in that order. */
function placed(panels) {
  let [x, y, height] = [0, 0, 0];
  return panels.map((it, at) => {
    const { w, h } = it.gridPos;
    if (x + w > 24) {
      [x, y, height] = [0, y + height, 0];
    }
    const gridPos = { x, y, w, h };
    [x, height] = [x + w, Math.max(height, h)];
    return { id: at + 1, ...it, gridPos };
  });
}

export function dashboard(uid, description, { variables, panels, annotations = [], from = 'now-3h' }) {
  return {
    uid,
    title: PAGES.find(([it]) => it === uid)[1],
    description,
    tags: ['chaos engineering', 'chaoscope'],
    style: 'dark',
    schemaVersion: SCHEMA,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from, to: 'now' },
    timezone: '',
    weekStart: '',
    fiscalYearStartMonth: 0,
    liveNow: false,
    links: PAGES.filter(([it]) => it !== uid).map(([it, title]) => to(it, title)),
    templating: { list: variables },
    annotations: { list: [BUILT_IN, ...annotations] },
    panels: placed(panels),
  };
}

/** Which experiments: three variables, each narrowed by those before it; the label matchers are in words.mjs. */
export const EXPERIMENTS = [
  choice('namespace', 'Namespace', 'label_values(chaoscope_experiment_info, experiment_namespace)', 'Of the experiment.'),
  choice('kind', 'Kind', 'label_values(chaoscope_experiment_info{experiment_namespace=~"$namespace"}, experiment_kind)', 'NetworkChaos, PodChaos …'),
  choice(
    'experiment',
    'Experiment',
    'label_values(chaoscope_experiment_info{experiment_namespace=~"$namespace", experiment_kind=~"$kind"}, experiment)',
    'By name; experiments are listed until 15 minutes after they are gone.'
  ),
];
