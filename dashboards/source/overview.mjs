/** What a person on call wants to know first: what runs, what is wrong, what came of it, what comes next, and what cannot be seen. */
import { COLOUR, EXPERIMENTS, EXPERIMENT_LINK, WHERE, dashboard, graph, row, series, stat, table } from './parts.mjs';
import { CHOSEN, CLUSTER, ID, NODES, TARGET, TOLD, active, at, counted, each, grown, overdue, selecting, stuck, summed, unfinished, verdicts } from './words.mjs';

const RUN = 'experiment_namespace, experiment_kind, action, outcome';
const outcomes = grown('chaoscope_runs_total', 'outcome', RUN, 'experiment_namespace=~"$namespace", experiment_kind=~"$kind"');
const residue = (effect) => each(`chaoscope_residue{effect="${effect}"}`, `${TARGET}, effect, owner, what`);

export const overview = dashboard('chaoscope-now', 'What chaos runs, on whom, whether it is really there and really gone.', {
  variables: [
    WHERE,
    ...EXPERIMENTS,
  ],
  panels: [
    stat('Active', 'Experiments that inject, run or recover now.', counted(active(CHOSEN), CLUSTER), { w: 3 }),
    stat(
      'Stuck',
      'Injecting or recovering for more than five minutes. The controller says it works on it; look at the daemon of the targets\' node.',
      counted(stuck(CHOSEN), CLUSTER),
      { w: 3, bad: COLOUR.bad }
    ),
    stat('Overdue', 'More than two minutes past the end its duration gives, and not even recovering.', counted(overdue(CHOSEN), CLUSTER), {
      w: 3,
      bad: COLOUR.bad,
    }),
    stat('Without targets', 'Its selector matches nobody: an experiment that tests nothing.', counted(selecting(CHOSEN), CLUSTER), {
      w: 3,
      bad: COLOUR.warn,
    }),
    stat(
      'Not as declared',
      'Faults that the kernel does not have (missing), or has with other parameters (drifted). The tool says Injected all the same.',
      counted(`${verdicts(`verdict=~"missing|drifted", ${CHOSEN}`)} == 1`, TOLD),
      { w: 3, bad: COLOUR.bad }
    ),
    stat(
      'Left behind',
      'Objects of chaos in the kernel that change traffic though no run has them. Whose they are is in the table below.',
      summed(residue('effective'), NODES),
      { w: 3, bad: COLOUR.bad }
    ),
    stat('Nodes silent', 'Nodes with a target of an open run that do not tell what their kernel has: their verdicts are unknown.', 'max(chaoscope_nodes{state="silent"})', {
      w: 3,
      bad: COLOUR.warn,
    }),
    stat('Nodes blind', 'Node roles that could not see something behind which chaos may hide: a right is missing, or a deadline was hit.', `count(max by (node, instance) (chaoscope_limitations{blinds="true"}) > 0) or ${NODES}`, {
      w: 3,
      bad: COLOUR.warn,
    }),

    table(
      'Now',
      'Every experiment that is not finished. Its name leads to its own dashboard.',
      [
        unfinished(CHOSEN),
        `max by (${ID}, action, started_by) (chaoscope_experiment_info{${CHOSEN}}) and on (${ID}) (${unfinished(CHOSEN)})`,
        `${each(`chaoscope_experiment_targets{state="injected", ${CHOSEN}}`)} and on (${ID}) (${unfinished(CHOSEN)})`,
        at('start', CHOSEN, `(${unfinished(CHOSEN)})`),
        at('expected_end', CHOSEN, `(${unfinished(CHOSEN)})`),
      ],
      {
        experiment_kind: 'Kind',
        experiment_namespace: 'Namespace',
        experiment: 'Experiment',
        action: 'Action',
        phase: 'Phase',
        'Value #C': 'Targets injected',
        'Value #D': 'Began',
        'Value #E': 'Expected end',
        started_by: 'Started by',
      },
      { h: 8, units: { 'Value #D': 'dateTimeFromNow', 'Value #E': 'dateTimeFromNow' }, links: { experiment: EXPERIMENT_LINK }, colours: ['phase'], none: 'nothing runs' }
    ),

    graph('Experiments by phase', 'How many were in each phase. A phase injecting or recovering that does not end is one to look at.', [
      series(`sum by (phase) (${each(`chaoscope_experiment_phase{${CHOSEN}}`, `${ID}, phase`)})`, '{{phase}}'),
    ], { stack: true, words: ['selecting', 'injecting', 'running', 'paused', 'recovering', 'finished'], w: 8, decimals: 0 }),
    graph('Verdicts', 'Declared faults, by what the kernel says of them. In force means configured as declared; it is no claim about effect.', [
      series(`sum by (verdict) (${verdicts(CHOSEN)})`, '{{verdict}}'),
    ], { stack: true, words: ['in_force', 'drifted', 'missing', 'unknown'], w: 8, none: 'no fault is declared', decimals: 0 }),
    graph('Runs that ended', 'By outcome. Short runs and deleted ones are here too: they are counted, not sampled.', [series(outcomes, '{{outcome}}')], {
      bars: true,
      stack: true,
      words: ['recovered', 'completed', 'no_targets', 'injection_failed', 'recovery_failed', 'forced', 'lost'],
      w: 8,
      decimals: 0,
    }),

    row('Is it really there, is it really gone'),
    table(
      'Faults that are not in force',
      'Missing: the kernel does not have it. Drifted: it has other parameters than declared. Unknown: nobody could compare, and the reason says why; never alerted on.',
      [each(`chaoscope_fault_verdict_info{verdict!="in_force", ${CHOSEN}}`, `${TARGET}, verdict, reason`)],
      {
        verdict: 'Verdict',
        reason: 'Why',
        pod: 'Pod',
        experiment: 'Experiment',
        experiment_kind: 'Kind',
        experiment_namespace: 'Namespace',
        namespace: 'Target namespace',
        container: 'Container',
      },
      { links: { experiment: EXPERIMENT_LINK }, colours: ['verdict'] }
    ),
    table(
      'Residue',
      'What chaos left in a kernel. Effective changes traffic; benign does not. Owner ended_run: the journal knows the run it was of. Unknown: another tool or a person may own it; ask before you delete.',
      [
        each('chaoscope_residue', `${TARGET}, effect, owner, what`),
        `1000 * ${each('chaoscope_residue_first_seen_timestamp_seconds', `${TARGET}, effect, owner, what`).replace('max', 'min')}`,
      ],
      {
        effect: 'Effect',
        pod: 'Pod',
        what: 'What',
        'Value #A': 'Objects',
        owner: 'Owner',
        'Value #B': 'First seen',
        namespace: 'Target namespace',
        netns: 'Network namespace',
        experiment: 'Experiment',
      },
      { units: { 'Value #B': 'dateTimeFromNow' } }
    ),

    row('Schedules and workflows'),
    table(
      'Schedules',
      'When each makes its next experiment. A time in the past that stays there: it was missed. None while paused.',
      [
        each('chaoscope_schedule_active{experiment_namespace=~"$namespace"}'),
        each('chaoscope_schedule_paused{experiment_namespace=~"$namespace"}'),
        `1000 * ${each('chaoscope_schedule_next_timestamp_seconds{experiment_namespace=~"$namespace"}')}`,
        `1000 * ${each('chaoscope_schedule_last_timestamp_seconds{experiment_namespace=~"$namespace"}')}`,
        each('chaoscope_schedule_missed_total{experiment_namespace=~"$namespace"}'),
        `sum by (${ID}) (${each('chaoscope_schedule_skipped_total{experiment_namespace=~"$namespace"}', `${ID}, reason`)})`,
      ],
      {
        experiment_namespace: 'Namespace',
        experiment: 'Schedule',
        'Value #C': 'Next',
        'Value #D': 'Last',
        'Value #A': 'Active children',
        'Value #B': 'Paused',
        'Value #E': 'Missed',
        'Value #F': 'Skipped',
      },
      { units: { 'Value #C': 'dateTimeFromNow', 'Value #D': 'dateTimeFromNow', 'Value #B': 'bool_yes_no' }, none: 'no schedule', h: 6 }
    ),
    table(
      'Workflows',
      'The state of each, and since when.',
      [
        `${each('chaoscope_workflow_state{experiment_namespace=~"$namespace"}', `${ID}, state`)} == 1`,
        `1000 * ${each('chaoscope_workflow_start_timestamp_seconds{experiment_namespace=~"$namespace"}')}`,
        `1000 * ${each('chaoscope_workflow_end_timestamp_seconds{experiment_namespace=~"$namespace"}')}`,
      ],
      { experiment: 'Workflow', state: 'State', 'Value #B': 'Began', 'Value #C': 'Ended', experiment_namespace: 'Namespace' },
      { h: 6, units: { 'Value #B': 'dateTimeFromNow', 'Value #C': 'dateTimeFromNow' }, none: 'no workflow' }
    ),
    table(
      'Steps of workflows',
      'What each step made, when it began, and when it must have ended. Only the newest part of a workflow is there: Chaos Mesh deletes steps with it.',
      [
        `${each('chaoscope_workflow_node_state{experiment_namespace=~"$namespace"}', `${ID}, workflow_node, state`)} == 1`,
        each('chaoscope_workflow_node_info{experiment_namespace=~"$namespace"}', `${ID}, workflow_node, template, kind, child_kind, child`),
        `1000 * ${each('chaoscope_workflow_node_start_timestamp_seconds{experiment_namespace=~"$namespace"}', `${ID}, workflow_node`)}`,
        `1000 * ${each('chaoscope_workflow_node_deadline_timestamp_seconds{experiment_namespace=~"$namespace"}', `${ID}, workflow_node`)}`,
      ],
      {
        template: 'Template',
        state: 'State',
        child: 'Made',
        'Value #C': 'Began',
        'Value #D': 'Deadline',
        kind: 'Kind of step',
        experiment: 'Workflow',
      },
      { units: { 'Value #C': 'dateTimeFromNow', 'Value #D': 'dateTimeFromNow' }, none: 'no step' }
    ),

    row('How complete this is'),
    graph('Nodes', 'Connected ones tell what their kernel has within seconds. Silent: with a target of an open run, and not connected.', [
      series('max by (state) (chaoscope_nodes)', '{{state}}'),
    ], { w: 8, words: ['connected', 'silent'], decimals: 0 }),
    graph('Network namespaces seen', 'Read and left out in the last sweep of all nodes. Those of the host are left out on purpose.', [
      series('sum(chaoscope_netns_visited)', 'read'),
      series('sum by (reason) (chaoscope_netns_skipped)', 'left out: {{reason}}'),
    ], { w: 8, decimals: 0 }),
    graph('Kinds that are watched', 'A kind that is not up is one whose experiments nobody sees: see the dashboard of the components for why.', [
      series('count(max by (resource, namespace) (chaoscope_watch_up) == 1)', 'up'),
      series('count(max by (resource, namespace) (chaoscope_watch_up) == 0) or 0 * max(chaoscope_journal_runs)', 'not up'),
    ], { w: 8, decimals: 0 }),

    row('As Chaos Mesh counts'),
    graph('Experiments', 'Under the names of Chaos Mesh\'s own controller, with its phases; one series each, whatever the number of its replicas.', [
      series('sum by (kind, phase) (max by (namespace, kind, phase) (chaos_controller_manager_chaos_experiments{namespace=~"$namespace", kind=~"$kind"}))', '{{kind}} {{phase}}'),
    ], { w: 8, decimals: 0 }),
    graph('Schedules and workflows there are', 'How many, under the names of Chaos Mesh\'s own controller.', [
      series('sum(max by (namespace) (chaos_controller_manager_chaos_schedules{namespace=~"$namespace"}))', 'schedules'),
      series('sum(max by (namespace) (chaos_controller_manager_chaos_workflows{namespace=~"$namespace"}))', 'workflows'),
    ], { w: 8, decimals: 0 }),
    graph('Events', 'What the controller\'s own recorder said. Warnings are red flags: a failed injection shows here, not in its reconcile errors.', [
      series(grown('chaos_controller_manager_emitted_event_total', 'type, reason', 'type, reason, namespace', 'namespace=~"$namespace"'), '{{type}} {{reason}}'),
    ], { w: 8, bars: true, stack: true, decimals: 0 }),
  ],
});
