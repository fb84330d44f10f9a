/** An application's own dashboard with chaos drawn into it: to copy from. Its panels ask for names that many client libraries use. */
import { CHAOSCOPE, COLOUR, PROMETHEUS, WHERE, choice, dashboard, graph, series, source, stat, table, text } from './parts.mjs';
import { CLUSTER, ID, TARGET, TOLD, counted, each, summed } from './words.mjs';

const APP = 'namespace=~"$namespace", pod=~"$pod"';
const requests = (more = '') => `sum(rate(http_requests_total{${APP}${more}}[$__rate_interval]))`;
const took = (q) => `histogram_quantile(${q}, sum by (le) (rate(http_request_duration_seconds_bucket{${APP}}[$__rate_interval])))`;
const hits = `group by (${ID}) (chaoscope_target_chaos_start_timestamp_seconds{${APP}})`;
const open = `${each('chaoscope_experiment_phase{phase=~"injecting|running|recovering"}')} == 1 and on (${ID}) ${hits}`;

const README = `Requests, errors and durations of an application, with the chaos that hit it. To have the same on your own dashboard:

* **with the plugin**: Settings → Annotations → the Chaoscope datasource → *Match this dashboard*. Each run is a region from its true start to its true end. It is on here.
* **with Prometheus alone**: the annotation *Chaos (from metrics)*, off here: a region for each experiment, as exact as the scrapes. Copy its query.`;

export const application = dashboard('chaoscope-application', 'An example: an application\'s requests, errors and durations, and the chaos that hit it.', {
  from: 'now-1h',
  variables: [
    WHERE,
    source('chaoscope', 'Chaoscope', CHAOSCOPE.type, 'Where annotations come from. Empty without the plugin: switch the annotation Chaos off, and Chaos (from metrics) on.'),
    choice('namespace', 'Namespace', 'label_values(http_requests_total, namespace)', 'Of the application; annotations are matched by it.'),
    choice('pod', 'Pod', 'label_values(http_requests_total{namespace=~"$namespace"}, pod)', 'Of the application; annotations are matched by it.'),
  ],
  annotations: [
    {
      name: 'Chaos',
      datasource: CHAOSCOPE,
      enable: true,
      hide: false,
      iconColor: COLOUR.bad,
      target: { refId: 'Anno', datasource: CHAOSCOPE, queryType: 'annotations', filters: {}, matchDashboard: true },
    },
    {
      name: 'Chaos (from metrics)',
      datasource: PROMETHEUS,
      enable: false,
      hide: false,
      iconColor: COLOUR.moving,
      expr: open,
      step: '15s',
      titleFormat: '{{experiment_kind}} {{experiment}}',
      textFormat: 'in {{experiment_namespace}}',
      tagKeys: 'experiment_kind,experiment_namespace',
    },
  ],
  panels: [
    text('How to use this', 'What to copy from this dashboard.', README, { w: 16, h: 5 }),
    stat('Chaos on it now', 'Experiments that hit this application and are not over.', counted(open, CLUSTER), { w: 4, h: 5, bad: COLOUR.warn }),
    stat('Really there', 'Faults on its pods that the kernel has as declared.', summed(each(`chaoscope_fault_verdict{verdict="in_force", ${APP}}`, TARGET), TOLD), { w: 4, h: 5 }),
    graph('Requests', 'By status.', [series(`sum by (code) (rate(http_requests_total{${APP}}[$__rate_interval]))`, '{{code}}')], { w: 12, h: 9, unit: 'reqps', stack: true, none: 'no such application' }),
    graph('Errors', 'Share of requests that failed.', [series(`${requests(', code=~"5.."')} / ${requests()}`, 'failed')], { w: 12, h: 9, unit: 'percentunit', none: 'no such application' }),
    graph('Duration', 'Of requests, and what netem adds to each packet of its pods: both in one panel tell cause from coincidence.', [
      series(took(0.5), 'half are faster'),
      series(took(0.9), '90 % are faster'),
      series(took(0.99), '99 % are faster'),
      series(`max(chaoscope_netem_delay_seconds{${APP}})`, 'delay in the kernel'),
    ], { w: 14, h: 9, unit: 's', none: 'no such application' }),
    table('Chaos on it', 'Experiments that hit its pods, until five minutes after they are over.', [`1000 * max by (namespace, pod, ${ID}) (chaoscope_target_chaos_start_timestamp_seconds{${APP}})`], { experiment: 'Experiment', pod: 'Pod', Value: 'Since', experiment_kind: 'Kind' }, { w: 10, h: 9, units: { Value: 'dateTimeFromNow' } }),
  ],
});
