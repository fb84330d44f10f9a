/** Words the editors show for what is saved. To add a field or a type: one entry here beside its name in `types.ts`. */
import { SelectableValue } from '@grafana/data';
import { Operator } from './ask/words';
import { COUNTED_BY, FieldName, FIELDS, LISTS, Origin, QUERY_TYPES, QueryType } from './types';

interface Words {
  label: string;
  description: string;
}

const TYPES: Record<Exclude<QueryType, 'values'>, Words> = {
  runs: { label: 'Runs', description: 'A table: one row for each run that touches the time range' },
  timeline: { label: 'Timeline', description: 'For the state timeline panel: who was under chaos, and when' },
  active: { label: 'Active runs', description: 'A number for alert rules and graphs: how many runs are open' },
  targets: { label: 'Affected targets', description: 'A table: one row for each pod, node or machine that was touched' },
  events: { label: 'Events', description: 'A table of what happened, one row for each event' },
  logs: { label: 'Logs', description: 'The same as lines for Explore and the logs panel' },
  annotations: { label: 'Annotations', description: 'Regions drawn on this panel only; works on public dashboards too' },
  upcoming: { label: 'Upcoming', description: 'A table of what schedules will start within the time range' },
};

const FIELD_WORDS: Record<FieldName, Words> = {
  tool: { label: 'Tool', description: 'Who injects: chaos-mesh, krkn, litmus, …' },
  cluster: { label: 'Cluster', description: 'Name of the cluster, as Chaoscope was told' },
  kind: { label: 'Kind', description: 'NetworkChaos, PodChaos, …' },
  namespace: { label: 'Namespace', description: 'Namespace of the experiment' },
  name: { label: 'Name', description: 'Name of the experiment' },
  phase: { label: 'Phase', description: 'selecting, injecting, running, recovering, finished; stuck, overdue' },
  outcome: { label: 'Outcome', description: 'How it ended: recovered, injection_failed, …' },
  target_namespace: { label: 'Target namespace', description: 'Namespace of a pod that is hit' },
  target_pod: { label: 'Target pod', description: 'A pod that is hit' },
  target_node: { label: 'Target node', description: 'Node of a pod that is hit' },
  target_workload: { label: 'Target workload', description: 'Deployment, StatefulSet, … of a pod that is hit' },
  label: { label: 'Label', description: 'A label of the experiment, as key=value' },
  reason: { label: 'Event reason', description: 'Applied, Recovered, Failed, …; of events only' },
  type: { label: 'Event type', description: 'Normal or Warning; of events only' },
  text: { label: 'Text', description: 'Found anywhere: names, parameters, messages' },
};

const LIST_WORDS: Record<string, string> = {
  kinds: 'Kinds',
  namespaces: 'Namespaces',
  experiments: 'Experiments',
  schedules: 'Schedules',
  workflows: 'Workflows',
  clusters: 'Clusters',
  tools: 'Tools',
  target_namespace: 'Target namespaces',
  target_pod: 'Target pods',
  target_node: 'Target nodes',
  target_workload: 'Target workloads',
};

const option = <T extends string>(value: T, words: Words): SelectableValue<T> => ({ value, ...words });

/** Query types, to choose from. */
export const typeOptions = QUERY_TYPES.map((type) => option(type, TYPES[type]));
/** Fields, to choose from. */
export const fieldOptions = FIELDS.map((field) => option(field, FIELD_WORDS[field]));
/** Lists of a variable, to choose from: those with a name, then the values of the remaining fields. */
export const listOptions: Array<SelectableValue<string>> = [
  ...LISTS.map((value) => ({ value, label: LIST_WORDS[value] })),
  ...(['phase', 'outcome', 'label', 'reason', 'type'] as const).map((field) => ({
    value: `field:${field}`,
    label: `Values of ${FIELD_WORDS[field].label.toLowerCase()}`,
  })),
];
/** What active runs can be counted by, to choose from. */
export const byOptions = COUNTED_BY.map((field) => ({
  value: field as string,
  label: field === 'action' ? 'Action' : FIELD_WORDS[field].label,
}));
/** Operators, to choose from. */
export const operatorOptions: Array<SelectableValue<Operator>> = [
  { value: '=', label: 'is', description: 'one of these; * stands for any text' },
  { value: '!=', label: 'is not', description: 'none of these; * stands for any text' },
  { value: '=~', label: 'matches', description: 'one of these regular expressions, whole' },
  { value: '!~', label: 'matches not', description: 'none of these regular expressions' },
];
/** Origins, to choose from. */
export const originOptions: Array<SelectableValue<Origin>> = [
  { value: 'chaoscope', label: 'Chaoscope', description: 'The API of chaoscope cluster, standalone or replay' },
  { value: 'dashboard', label: 'Chaos Dashboard', description: 'Chaos Mesh’s own dashboard: events of a week, nothing per target' },
];
/** What a field is called. */
export const labelOf = (field: string): string => FIELD_WORDS[field as FieldName]?.label ?? field;
