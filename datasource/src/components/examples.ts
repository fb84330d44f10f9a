/** Queries worth beginning with: what the help sheet offers. Each is a query as it is saved. */
import { ChaosQuery } from '../types';

export interface Example {
  title: string;
  why: string;
  query: Omit<ChaosQuery, 'refId'>;
}

export const EXAMPLES: Example[] = [
  {
    title: 'What hit this application?',
    why: 'Every run that touched a pod of the dashboard’s own namespace, pod, node or workload variable.',
    query: { queryType: 'runs', filters: {}, matchDashboard: true },
  },
  {
    title: 'Who was under chaos, and when?',
    why: 'For the state timeline panel: one row for each target.',
    query: { queryType: 'timeline', rows: 'target', filters: {} },
  },
  {
    title: 'How many runs are open now?',
    why: 'A number for an alert rule; 0 when nothing runs.',
    query: { queryType: 'active', form: 'instant', by: ['kind'], filters: {} },
  },
  {
    title: 'What does not end as it should?',
    why: 'Runs that are stuck, or past their expected end.',
    query: { queryType: 'runs', filters: { phase: ['stuck', 'overdue'] } },
  },
  {
    title: 'What went wrong?',
    why: 'Runs whose injection or recovery failed, or whose finalizer was torn away.',
    query: { queryType: 'runs', filters: { outcome: ['injection_failed', 'recovery_failed', 'forced', 'lost'] } },
  },
  {
    title: 'Warnings, line by line',
    why: 'For Explore and the logs panel, kept current.',
    query: { queryType: 'logs', filters: { type: ['Warning'] }, stream: true },
  },
  {
    title: 'Network faults on web pods',
    why: '* stands for any text, a leading ~ begins a regular expression, a leading ! means not.',
    query: { queryType: 'targets', filters: { kind: ['NetworkChaos'], target_pod: ['web-*', '!web-canary-*'] } },
  },
  {
    title: 'What is next?',
    why: 'What schedules will start; set the time range into the future.',
    query: { queryType: 'upcoming', filters: {} },
  },
];
