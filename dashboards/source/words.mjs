/**
 * Expressions that more than one dashboard needs.
 *
 * `max by` everywhere: a second replica of the cluster role, or a Prometheus that keeps an old instance's series for five minutes, counts
 * nothing twice. A number that may be 0 is `counted`: it falls back to 0 only where the exporter that would know is there; without it the
 * panel says "unknown".
 */

export const ID = 'experiment_namespace, experiment_kind, experiment';
export const WHOM = `namespace, pod, container, netns, ${ID}`;
/** With its node: names of network namespaces are a node's own. */
export const TARGET = `node, ${WHOM}`;
/** The dashboards' variables, on the labels of experiments. */
export const CHOSEN = 'experiment_namespace=~"$namespace", experiment_kind=~"$kind", experiment=~"$experiment"';

export const each = (metric, by = ID) => `max by (${by}) (${metric})`;
const phase = (words, chosen) => `${each(`chaoscope_experiment_phase{phase=~"${words}"${chosen && `, ${chosen}`}}`)} == 1`;
const time = (name, chosen) => each(`chaoscope_experiment_${name}_timestamp_seconds${chosen && `{${chosen}}`}`);
const on = `on (${ID})`;

/** 0 where the cluster role is there, nothing where it is not. */
export const CLUSTER = '0 * max(chaoscope_journal_runs)';
/** The same for node roles. */
export const NODES = '0 * max(chaoscope_netns_visited)';
/** And for node roles that are told what is declared: nobody else can say that a fault is there. */
export const TOLD = '0 * max(chaoscope_declared_connected == 1)';
export const counted = (expr, there) => `count(${expr}) or ${there}`;
export const summed = (expr, there) => `sum(${expr}) or ${there}`;

export const active = (chosen = '') => phase('injecting|running|recovering', chosen);
export const unfinished = (chosen = '') => each(`chaoscope_experiment_phase{phase!="finished"${chosen && `, ${chosen}`}}`, `${ID}, phase`) + ' == 1';
export const selecting = (chosen = '') => phase('selecting', chosen);

/** More than 300 s; the same bounds as in the API and the alert rules. */
export const stuck = (chosen = '') =>
  `(time() - ${time('start', chosen)} > 300 and ${on} ${phase('injecting', chosen)})` +
  ` or (time() - ${time('stop_requested', chosen)} > 300 and ${on} ${phase('recovering', chosen)})`;

/** Counted within a window, by what it is summed by: whole numbers, since what Prometheus counts at a window's edges is stretched. */
export const grown = (metric, by, among, selector, window = '$__rate_interval') =>
  `sum by (${by}) (round(max by (${among}) (increase(${metric}{${selector}}[${window}]))))`;

/** More than 120 s past the expected end, and nothing was done about it yet. */
export const overdue = (chosen = '') =>
  `time() - ${time('expected_end', chosen)} > 120 and ${on} ${phase('injecting|running', chosen)}`;

export const verdicts = (selector) => each(`chaoscope_fault_verdict{${selector}}`, `${TARGET}, verdict`);

/** One number for each series, 1 for the first word, 2 for the second …: what a state timeline draws. */
export const numbered = (metric, label, words, by, selector) =>
  `max by (${by}) (` +
  words.map((word, at) => `${at + 1} * (${each(`${metric}{${label}="${word}", ${selector}}`, `${by}, ${label}`)} == 1)`).join(' or ') +
  ')';

/** For dashboards about experiments: their time in milliseconds, as tables want it. */
export const at = (name, chosen = '', among = '') => `1000 * ${time(name, chosen)}${among && ` and ${on} ${among}`}`;

export const quantile = (q, metric, by, selector = '', window = '$__rate_interval') =>
  `histogram_quantile(${q}, sum by (${by}, le) (rate(${metric}_bucket${selector && `{${selector}}`}[${window}])))`;
