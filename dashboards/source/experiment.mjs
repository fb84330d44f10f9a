/** One experiment, or all of a kind: what it is, whom it hits, whether the kernel has it, how long injecting and recovering took. */
import { COLOUR, EXPERIMENTS, WHERE, dashboard, graph, heatmap, row, series, stat, states, table } from './parts.mjs';
import { CHOSEN, CLUSTER, ID, TARGET, TOLD, WHOM, active, at, counted, each, grown, numbered, overdue, stuck, summed, unfinished, verdicts } from './words.mjs';

const PHASES = ['selecting', 'injecting', 'running', 'paused', 'recovering', 'finished'];
const VERDICTS = ['in_force', 'drifted', 'missing', 'unknown'];
/** Pods the chosen experiments have to do with: joins what the kernel says to them. */
const HIT = `on (namespace, pod) group by (namespace, pod) (chaoscope_target_chaos_start_timestamp_seconds{${CHOSEN}})`;
const KIND = 'experiment_kind=~"$kind"';
const took = (q, metric) => `histogram_quantile(${q}, sum by (experiment_kind, action, le) (max by (experiment_kind, action, le) (chaoscope_${metric}_duration_seconds_bucket{${KIND}})))`;
const buckets = (metric) => `sum by (le) (max by (experiment_kind, action, le) (increase(chaoscope_${metric}_duration_seconds_bucket{${KIND}}[$__rate_interval])))`;
const failures = (metric) => grown(`chaoscope_${metric}_failures_total`, 'experiment_kind, action', 'experiment_kind, action', KIND);
const kernel = (metric) => `max by (namespace, pod, device) (${metric}) and ${HIT}`;

export const experiment = dashboard('chaoscope-experiment', 'One experiment: what it is, whom it hits, whether the kernel has it, how long it took.', {
  variables: [
    WHERE,
    ...EXPERIMENTS,
  ],
  panels: [
    stat('Active', 'Of the chosen experiments: how many inject, run or recover now.', counted(active(CHOSEN), CLUSTER)),
    stat('Stuck', 'Injecting or recovering for more than five minutes.', counted(stuck(CHOSEN), CLUSTER), { bad: COLOUR.bad }),
    stat('Overdue', 'More than two minutes past the end its duration gives, and not even recovering.', counted(overdue(CHOSEN), CLUSTER), { bad: COLOUR.bad }),
    stat('Targets injected', 'Of experiments that are not finished.', summed(`${each(`chaoscope_experiment_targets{state="injected", ${CHOSEN}}`)} and on (${ID}) (${unfinished(CHOSEN)})`, CLUSTER)),
    stat('Faults in force', 'As the kernels of their targets say.', summed(verdicts(`verdict="in_force", ${CHOSEN}`), TOLD), { colour: COLOUR.good }),
    stat('Missing or drifted', 'Declared, and not there, or not so.', counted(`${verdicts(`verdict=~"missing|drifted", ${CHOSEN}`)} == 1`, TOLD), { bad: COLOUR.bad }),

    states(
      'Phases',
      'What each experiment went through. Recovering that does not end, or running past its end, needs a person.',
      [series(numbered('chaoscope_experiment_phase', 'phase', PHASES, ID, CHOSEN), '{{experiment_kind}} {{experiment_namespace}}/{{experiment}}')],
      PHASES,
      { h: 11, none: 'no such experiment in this range' }
    ),
    table(
      'What it is',
      'Its parameters as far as they are metrics, who made it (a schedule, a workflow, a person), and the times of its newest run. Parameters such as a delay are in the API and in the annotations.',
      [
        each(`chaoscope_experiment_info{${CHOSEN}}`, `${ID}, uid, action, parent_kind, parent, started_by`),
        at('start', CHOSEN),
        at('injected', CHOSEN),
        at('stop_requested', CHOSEN),
        at('expected_end', CHOSEN),
        at('end', CHOSEN),
      ],
      {
        experiment_kind: 'Kind',
        experiment_namespace: 'Namespace',
        experiment: 'Experiment',
        action: 'Action',
        parent_kind: 'Made by kind',
        parent: 'Made by',
        started_by: 'Started by',
        'Value #B': 'Began',
        'Value #C': 'All injected',
        'Value #D': 'End asked',
        'Value #E': 'Expected end',
        'Value #F': 'Ended',
        uid: 'UID',
      },
      {
        units: Object.fromEntries(['B', 'C', 'D', 'E', 'F'].map((it) => [`Value #${it}`, 'dateTimeAsIso'])),
        none: 'no such experiment',
        sort: 'Value #B',
      }
    ),

    row('Targets'),
    graph('Targets by state', 'Of the newest run. Failed was never injected; gone means the pod went away meanwhile.', [
      series(`sum by (state) (${each(`chaoscope_experiment_targets{${CHOSEN}}`, `${ID}, state`)})`, '{{state}}'),
    ], { w: 10, stack: true, words: ['pending', 'injecting', 'injected', 'recovering', 'recovered', 'failed', 'gone'], decimals: 0 }),
    table(
      'Pods it hits',
      'From the first injection until five minutes after the end, so that what a kill did joins too. Alerts are silenced by this family, see docs.',
      [`1000 * ${each(`chaoscope_target_chaos_start_timestamp_seconds{${CHOSEN}}`, `namespace, pod, workload, workload_kind, node, ${ID}`)}`],
      {
        experiment: 'Experiment',
        pod: 'Pod',
        Value: 'Since',
        node: 'Node',
        workload: 'Workload',
        workload_kind: 'Workload kind',
        experiment_kind: 'Kind',
        namespace: 'Target namespace',
      },
      { w: 14, units: { Value: 'dateTimeFromNow' }, none: 'hits nobody' }
    ),
    states(
      'Verdict for each target',
      'What the kernel says of the declared fault: in force, drifted (there, with other parameters), missing, or unknown with the reason in the table.',
      [series(numbered('chaoscope_fault_verdict', 'verdict', VERDICTS, WHOM, CHOSEN), '{{namespace}}/{{pod}} {{experiment}}')],
      VERDICTS,
      { w: 10, h: 8, none: 'no fault is declared' }
    ),
    table(
      'Why',
      'The present verdict of each target, and its reason.',
      [each(`chaoscope_fault_verdict_info{${CHOSEN}}`, `${TARGET}, verdict, reason`)],
      { pod: 'Pod', verdict: 'Verdict', reason: 'Reason', experiment: 'Experiment', namespace: 'Target namespace' },
      { w: 14, colours: ['verdict'] }
    ),

    row('In the kernels of its targets'),
    graph('Delay', 'What netem adds to every packet of a target, and its jitter, as read from the kernel.', [
      series(kernel('chaoscope_netem_delay_seconds'), '{{namespace}}/{{pod}} {{device}} delay'),
      series(kernel('chaoscope_netem_jitter_seconds'), '{{namespace}}/{{pod}} {{device}} jitter'),
    ], { w: 8, unit: 's', none: 'no delay' }),
    graph('Loss and damage', 'Share of packets that netem drops, damages, sends twice or ahead of others.', [
      ...['loss', 'corrupt', 'duplicate', 'reorder'].map((it) => series(kernel(`chaoscope_netem_${it}_ratio`), `{{namespace}}/{{pod}} ${it}`)),
    ], { w: 8, unit: 'percentunit', none: 'no loss' }),
    graph('Packets that rules dropped', 'Of chains that chaos made. A partition that is in force and drops nothing hits nobody: no traffic, or a way around it.', [
      series(`sum by (namespace, pod, chain) (max by (namespace, pod, backend, family, table, chain, rule) (rate(chaoscope_iptables_rule_packets_total{rule=~".*-j DROP.*"}[$__rate_interval]))) and ${HIT}`, '{{namespace}}/{{pod}} {{chain}}'),
    ], { w: 8, unit: 'pps', none: 'no rule drops' }),

    row('How long it takes: all experiments of the kind'),
    heatmap('Injection', 'From start to injected, for each target. Chaos Mesh works on one object of a kind at a time: many targets queue.', buckets('injection'), { w: 8 }),
    heatmap('Recovery', 'From the asked end to recovered, for each target.', buckets('recovery'), { w: 8 }),
    graph('Attempts that failed', 'Each try that an injection or a recovery did not survive. The controller\'s own error counter does not show them.', [
      series(failures('injection'), 'injection: {{experiment_kind}} {{action}}'),
      series(failures('recovery'), 'recovery: {{experiment_kind}} {{action}}'),
    ], { w: 8, bars: true, stack: true, decimals: 0 }),
    table(
      'Typical times',
      'Median and 95th percentile since the journal began, interpolated within the buckets.',
      [took(0.5, 'injection'), took(0.95, 'injection'), took(0.5, 'recovery'), took(0.95, 'recovery')],
      {
        experiment_kind: 'Kind',
        action: 'Action',
        'Value #A': 'Injection, median',
        'Value #B': 'Injection, 95 %',
        'Value #C': 'Recovery, median',
        'Value #D': 'Recovery, 95 %',
      },
      { w: 16, units: Object.fromEntries(['A', 'B', 'C', 'D'].map((it) => [`Value #${it}`, 's'])), none: 'nothing was injected yet' }
    ),
    graph('Runs that ended', 'By outcome, of the chosen namespaces and kinds.', [
      series(
        grown('chaoscope_runs_total', 'outcome', 'experiment_namespace, experiment_kind, action, outcome', `experiment_namespace=~"$namespace", ${KIND}`),
        '{{outcome}}'
      ),
    ], { w: 8, bars: true, stack: true, decimals: 0, words: ['recovered', 'completed', 'no_targets', 'injection_failed', 'recovery_failed', 'forced', 'lost'] }),
  ],
});
