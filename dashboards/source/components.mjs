/** How the parts work: Chaos Mesh's own, from the metrics that are passed through, and Chaoscope's watches, journal and streams. */
import { COLOUR, WHERE, choice, dashboard, graph, heatmap, row, series, stat, states, table } from './parts.mjs';
import { CLUSTER, quantile } from './words.mjs';

const PEER = 'peer=~"$peer"';
const WHICH = `${PEER}, controller=~"$controller"`;
/** Rate first and sum then: a sum over replicas falls when one restarts. */
const rate = (metric, by, selector = PEER) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
/** Of daemons, which are asked every five minutes: a shorter window would mostly see nothing. */
const daemon = (metric, by) => `sum by (${by}) (rate(${metric}{${PEER}}[15m]))`;
const now = (metric, by, selector = PEER) => `sum by (${by}) (${metric}{${selector}})`;
const watch = (metric, by = 'resource') => `max by (${by}) (chaoscope_watch_${metric})`;
const watched = (metric) => `max by (resource, namespace) (rate(chaoscope_watch_${metric}_total[$__rate_interval]))`;
const stored = (metric) => `max by (instance) (chaoscope_journal_${metric})`;
const own = (expr) => `${expr} and on (job, instance) chaoscope_journal_runs`;

export const components = dashboard('chaoscope-components', 'How Chaos Mesh\'s parts and Chaoscope\'s own work.', {
  variables: [
    WHERE,
    choice('peer', 'Peer', 'label_values(chaoscope_peer_up, peer)', 'A process of Chaos Mesh: its pod, or an address.'),
    choice('controller', 'Controller', 'label_values(controller_runtime_reconcile_total{peer=~"$peer"}, controller)', 'One of the controllers within the controller-manager; each kind has one.'),
  ],
  panels: [
    stat('Peers up', 'Components of Chaos Mesh that gave their metrics when they were last asked.', `sum(chaoscope_peer_up{${PEER}})`, { colour: COLOUR.good }),
    stat('Peers down', 'Components that did not. The table says why.', `sum(1 - chaoscope_peer_up{${PEER}})`, { bad: COLOUR.bad }),
    stat('Kinds not watched', 'Kinds whose experiments nobody sees: no complete list yet, or the watch is broken.', `count(max by (resource, namespace) (chaoscope_watch_up) == 0) or ${CLUSTER}`, { bad: COLOUR.bad }),
    stat('Journal', 'Whether what comes in can be stored.', 'max(chaoscope_journal_failing)', { mappings: [{ type: 'value', options: { 0: { text: 'stores', index: 0, color: COLOUR.good }, 1: { text: 'fails', index: 1, color: COLOUR.bad } } }] }),
    stat('Panics', 'Of reconciling, webhooks and DNS, since the components began. None is the only good number.', `sum({__name__=~"controller_runtime_reconcile_panics_total|controller_runtime_webhook_panics_total|coredns_panics_total", ${PEER}})`, { bad: COLOUR.bad }),
    stat('Leader', 'Replicas of the controller-manager that lead. One is right.', `sum by (name) (leader_election_master_status{${PEER}})`, { colour: COLOUR.good }),

    row('Peers'),
    states('Up', 'Whether each component answered.', [series(`max by (peer, component) (chaoscope_peer_up{${PEER}})`, '{{component}} {{peer}}')], [['up', COLOUR.good]], { w: 12, h: 8, zero: ['down', COLOUR.bad] }),
    table('Why not', 'Reasons of those that are down: unreachable, timeout, status, content_type, too_large, malformed.', [`max by (peer, component, reason) (chaoscope_peer_down{${PEER}}) == 1`], { component: 'Component', peer: 'Peer', reason: 'Reason' }, { w: 12 }),
    graph('Age of what they said', 'A daemon is asked every five minutes, others at a scrape.', [series(`time() - max by (peer) (chaoscope_peer_sample_timestamp_seconds{${PEER}})`, '{{peer}}')], { w: 8, unit: 's' }),
    graph('Peers: time to answer', 'How long each took to give its page. A daemon starts three programs for every container of its node.', [series(`max by (peer) (chaoscope_peer_scrape_duration_seconds{${PEER}})`, '{{peer}}')], { w: 8, unit: 's' }),
    graph('Samples that made no sense', 'Of their pages, and not passed through.', [series(`max by (peer) (chaoscope_peer_left_out_samples{${PEER}})`, '{{peer}}')], { w: 8, decimals: 0 }),

    row('Controllers: reconciling'),
    graph('Reconciliations', 'By result. Apply errors end as requeue, not as error: failed injections are on the dashboard of experiments.', [series(rate('controller_runtime_reconcile_total', 'result', WHICH), '{{result}}')], { w: 8, unit: 'ops' }),
    graph('Errors and panics', 'Of all chosen controllers, and the five that err most. Terminal errors are not tried again.', [
      series(`topk(5, ${rate('controller_runtime_reconcile_errors_total', 'controller', WHICH)})`, '{{controller}}'),
      series(`sum(rate(controller_runtime_terminal_reconcile_errors_total{${WHICH}}[$__rate_interval]))`, 'terminal, all'),
      series(`sum(rate(controller_runtime_reconcile_panics_total{${WHICH}}[$__rate_interval]))`, 'panics, all'),
    ], { w: 8, unit: 'ops', none: 'none' }),
    graph('Time to reconcile, 90 %', 'By controller. One worker each: a slow one makes all objects of its kind wait.', [series(quantile(0.9, 'controller_runtime_reconcile_time_seconds', 'controller', WHICH), '{{controller}}')], { w: 8, unit: 's' }),
    heatmap('Time to reconcile', 'All chosen controllers together.', `sum by (le) (increase(controller_runtime_reconcile_time_seconds_bucket{${WHICH}}[$__rate_interval]))`, { w: 12 }),
    graph('Workers', 'At work, of the eight busiest, and how many there may be.', [series(`topk(8, ${now('controller_runtime_active_workers', 'controller', WHICH)})`, '{{controller}}'), series(`max(controller_runtime_max_concurrent_reconciles{${WHICH}})`, 'may be, each')], { w: 12, decimals: 0 }),

    row('Controllers: work queues'),
    graph('Waiting', 'Objects in the eight longest queues. A queue that grows delays injection and recovery.', [series(`topk(8, ${now('workqueue_depth', 'controller', WHICH)})`, '{{controller}}')], { w: 8, decimals: 0 }),
    graph('Added and tried again', 'The five queues with most of each. Many retries: something fails again and again.', [series(`topk(5, ${rate('workqueue_adds_total', 'controller', WHICH)})`, '{{controller}} added'), series(`topk(5, ${rate('workqueue_retries_total', 'controller', WHICH)})`, '{{controller}} again')], { w: 8, unit: 'ops' }),
    graph('Unfinished', 'Time spent on work that is not done, and on the oldest piece of it. Rising without end: something hangs.', [series(`topk(5, ${now('workqueue_unfinished_work_seconds', 'controller', WHICH)})`, '{{controller}} all'), series(`topk(5, max by (controller) (workqueue_longest_running_processor_seconds{${WHICH}}))`, '{{controller}} oldest')], { w: 8, unit: 's' }),
    graph('Time in the queue, 90 %', 'From being added to being taken.', [series(quantile(0.9, 'workqueue_queue_duration_seconds', 'controller', WHICH), '{{controller}}')], { w: 12, unit: 's' }),
    graph('Time at work, 90 %', 'From being taken to being done.', [series(quantile(0.9, 'workqueue_work_duration_seconds', 'controller', WHICH), '{{controller}}')], { w: 12, unit: 's' }),

    row('Admission webhooks and API server'),
    graph('Admission requests', 'By status. What is refused never becomes an experiment.', [series(rate('controller_runtime_webhook_requests_total', 'code'), '{{code}}'), series(rate('controller_runtime_webhook_panics_total', 'peer'), 'panics of {{peer}}')], { w: 8, unit: 'reqps' }),
    graph('Time to admit, on average', 'By webhook; its buckets are not in the text format. The API server gives up after its time-out, and kubectl with it.', [series(`${rate('controller_runtime_webhook_latency_seconds_sum', 'webhook')} / ${rate('controller_runtime_webhook_latency_seconds_count', 'webhook')}`, '{{webhook}}')], { w: 8, unit: 's' }),
    graph('Under way', 'Admission requests that are being answered.', [series(now('controller_runtime_webhook_requests_in_flight', 'webhook'), '{{webhook}}')], { w: 8, decimals: 0 }),
    graph('Requests to the API server', '4xx: rights are missing. 429: it throttles.', [series(rate('rest_client_requests_total', 'code, method'), '{{method}} {{code}}')], { w: 8, unit: 'reqps' }),
    graph('Certificates read', 'Of the webhooks, by their watcher, and reads that failed.', [series(now('certwatcher_read_certificate_total', 'peer'), '{{peer}} read'), series(now('certwatcher_read_certificate_errors_total', 'peer'), '{{peer}} failed')], { w: 8, decimals: 0 }),
    states('Who leads', 'Which replica of the controller-manager does the work.', [series(`max by (peer, name) (leader_election_master_status{${PEER}})`, '{{peer}}')], [['leads', COLOUR.active]], { w: 8, h: 8, zero: ['waits', COLOUR.unknown] }),

    row('Daemons: gRPC, with --peer.daemon'),
    graph('Calls', 'What controllers asked of daemons, begun and ended, by method.', [series(daemon('grpc_server_started_total', 'grpc_method'), '{{grpc_method}} begun'), series(daemon('grpc_server_handled_total', 'grpc_method, grpc_code'), '{{grpc_method}} {{grpc_code}}')], { w: 8, unit: 'reqps', none: 'no daemon is asked' }),
    graph('Daemons: time to answer, 90 %', 'By method: SetTcs, SetIptablesChains and FlushIPSets are the network faults.', [series(quantile(0.9, 'chaos_daemon_grpc_server_handling_seconds', 'grpc_method', PEER, '15m'), '{{grpc_method}}')], { w: 8, unit: 's', none: 'no daemon is asked' }),
    heatmap('Daemons: time to answer', 'All methods together, each column the 15 minutes before it: daemons are asked every five minutes.', `sum by (le) (increase(chaos_daemon_grpc_server_handling_seconds_bucket{${PEER}}[15m]))`, { w: 8 }),
    graph('Messages', 'Received and sent.', [series(daemon('grpc_server_msg_received_total', 'peer'), '{{peer}} received'), series(daemon('grpc_server_msg_sent_total', 'peer'), '{{peer}} sent')], { w: 12, unit: 'ops', none: 'no daemon is asked' }),
    graph('Processes it looks after', 'tproxy and toda; stressors are not counted. The second counts those it has started.', [series(now('chaos_daemon_bpm_controlled_processes', 'peer'), '{{peer}} now'), series(now('chaos_daemon_bpm_controlled_process_total', 'peer'), '{{peer}} started')], { w: 12, decimals: 0, none: 'no daemon is asked' }),

    row('Chaos Dashboard and DNS server'),
    graph('Answers of the dashboard', 'By status.', [series(rate('chaos_dashboard_http_request_duration_seconds_count', 'status'), '{{status}}')], { w: 8, unit: 'reqps', none: 'no dashboard is asked' }),
    graph('Dashboard: time to answer, 90 %', 'By route, which is empty for what is none. Its list of events is slow when it holds many.', [series(quantile(0.9, 'chaos_dashboard_http_request_duration_seconds', 'method, path', PEER), '{{method}} {{path}}')], { w: 8, unit: 's', none: 'no dashboard is asked' }),
    graph('Its archive', 'Experiments, schedules and workflows that are gone, until its time to live ends.', [series(now('chaos_dashboard_archived_experiments', 'namespace, type'), '{{type}} in {{namespace}}'), series(now('chaos_dashboard_archived_schedules', 'namespace'), 'schedules in {{namespace}}'), series(now('chaos_dashboard_archived_workflows', 'namespace'), 'workflows in {{namespace}}')], { w: 8, decimals: 0, none: 'no dashboard is asked' }),
    graph('DNS', 'Questions and answers of the DNS server, by outcome: DNSChaos works only while it answers.', [series(rate('coredns_dns_requests_total', 'peer'), '{{peer}} asked'), series(rate('coredns_dns_responses_total', 'rcode'), '{{rcode}}'), series(rate('coredns_panics_total', 'peer'), '{{peer}} panics')], { w: 12, unit: 'reqps', none: 'no DNS server is asked' }),
    graph('Time to resolve, 90 %', 'Of the DNS server.', [series(quantile(0.9, 'coredns_dns_request_duration_seconds', 'peer', PEER), '{{peer}}')], { w: 12, unit: 's', none: 'no DNS server is asked' }),

    row('Sidecars of releases before 2.6'),
    graph('Templates', 'Dead since 2.6 and always 0 there: shown so that old dashboards can be retired.', [
      series(now('chaos_controller_manager_chaos_mesh_templates', 'peer'), 'templates'), series(now('chaos_controller_manager_chaos_mesh_config_templates', 'namespace, template'), 'config templates {{namespace}}/{{template}}'), series(now('chaos_controller_manager_chaos_mesh_injection_configs', 'namespace, template'), 'injection configs {{namespace}}/{{template}}'),
    ], { w: 12, h: 7, none: 'no release that has them', decimals: 0 }),
    graph('Injections and failures', 'Counted since the controller began.', [
      series(now('chaos_mesh_injections_total', 'namespace, config'), 'injected {{namespace}}/{{config}}'), series(now('chaos_controller_manager_chaos_mesh_inject_required_total', 'namespace, config'), 'asked for {{namespace}}/{{config}}'), series(now('chaos_controller_manager_chaos_mesh_template_load_failed_total', 'peer'), 'template did not load'),
      series(now('chaos_controller_manager_chaos_mesh_template_not_exist_total', 'namespace, template'), 'template missing {{namespace}}/{{template}}'), series(now('chaos_controller_manager_chaos_mesh_config_name_duplicate_total', 'namespace, config'), 'name twice {{namespace}}/{{config}}'),
    ], { w: 12, h: 7, none: 'no release that has them', decimals: 0 }),

    row('Chaoscope: watches'),
    table('Kinds', 'Each kind that is watched: whether the watch is up, why not, how many objects, when the last change and the last complete list came.', [
      watch('up', 'resource, namespace'), watch('info', 'resource, namespace, reason'), watch('objects', 'resource, namespace'), `1000 * ${watch('last_change_timestamp_seconds', 'resource, namespace')}`, `1000 * ${watch('last_list_timestamp_seconds', 'resource, namespace')}`,
    ], { resource: 'Kind', namespace: 'Limited to', 'Value #A': 'Up', reason: 'Why not', 'Value #C': 'Objects', 'Value #D': 'Last change', 'Value #E': 'Last list' }, { w: 12, h: 10, units: { 'Value #A': 'bool_yes_no', 'Value #D': 'dateTimeFromNow', 'Value #E': 'dateTimeFromNow' }, none: 'nothing is watched' }),
    graph('Changes', 'What the API server told, by kind.', [series(watched('changes'), '{{resource}}')], { w: 12, h: 10, unit: 'ops', legend: 'table' }),
    graph('Watches that began anew', 'The API server ends each after a while; a rate above that means trouble.', [series(watched('restarts'), '{{resource}}')], { w: 12, unit: 'ops' }),
    graph('Objects that cannot be understood', 'Left out, and in the log. Another release of Chaos Mesh than those we know?', [series(watched('undecodable'), '{{resource}}')], { w: 12, unit: 'ops' }),

    row('Chaoscope: journal and streams'),
    graph('What the journal holds', 'Runs, open ones, events.', [series(stored('runs'), 'runs'), series(stored('open_runs'), 'open runs'), series(stored('events'), 'events')], { w: 8, decimals: 0 }),
    graph('Its size', 'On disk; retention keeps it within its bounds.', [series(stored('size_bytes'), '{{instance}}')], { w: 8, unit: 'bytes' }),
    graph('How far back', 'Since its oldest entry; and since something was stored last.', [series(`time() - ${stored('oldest_timestamp_seconds')}`, 'oldest'), series(`time() - ${stored('last_commit_timestamp_seconds')}`, 'last stored')], { w: 8, unit: 's' }),
    heatmap('Time to store', 'How long a transaction took. Seconds: the disk is slow or full.', 'sum by (le) (increase(chaoscope_journal_commit_duration_seconds_bucket[$__rate_interval]))', { w: 8 }),
    graph('Time to store, 99 %', 'Of transactions.', [series(quantile(0.99, 'chaoscope_journal_commit_duration_seconds', 'instance'), '{{instance}}')], { w: 8, unit: 's' }),
    graph('Trouble', 'Any of these above 0 is something to look at: see the log. Lost: there was no room while they waited. Refused: can never be stored. Too many series: to count by.', [
      series(stored('failing'), 'last try failed'), series(stored('counters_full'), 'too many series'), series(stored('pending'), 'changes that wait'),
      series('max(rate(chaoscope_journal_commit_failures_total[$__rate_interval]))', 'transactions failed, a second'), series('max(rate(chaoscope_journal_dropped_total[$__rate_interval]))', 'changes lost, a second'), series('max(rate(chaoscope_journal_refused_total[$__rate_interval]))', 'batches refused, a second'),
    ], { w: 8 }),
    graph('Streams', 'Open streams of the API: Grafana\'s live panels, nodes, followers.', [series('max by (instance) (chaoscope_stream_clients)', '{{instance}}')], { w: 8, decimals: 0 }),
    graph('Streams that ended', 'By reason. `slow` readers were let go; lagging ones went on from the journal; refused ones found no room.', [
      series('max by (reason) (rate(chaoscope_stream_ended_total[$__rate_interval]))', '{{reason}}'), series('max(rate(chaoscope_stream_caught_up_total[$__rate_interval]))', 'went on from the journal'), series('max(rate(chaoscope_stream_refused_total[$__rate_interval]))', 'refused'),
    ], { w: 8, unit: 'ops' }),
    graph('What the cluster role costs', 'Processor, as a share of one core.', [series(own('rate(process_cpu_seconds_total[$__rate_interval])'), '{{instance}}')], { w: 8, unit: 'percentunit' }),
    graph('Its memory', 'Resident: grows with live experiments and their pods, not with time.', [series(own('process_resident_memory_bytes'), '{{instance}}')], { w: 8, unit: 'bytes' }),
    states('Its sources', 'Whether each source gave a reading to every scrape.', [series('min by (source) (chaoscope_scrape_source_success and on (job, instance) chaoscope_journal_runs)', '{{source}}')], [['ok', COLOUR.good]], { w: 8, h: 8, zero: ['failed', COLOUR.bad] }),
    table('Versions', 'Of every Chaoscope that is scraped.', ['max by (job, instance, version, rustversion) (chaoscope_build_info)'], { job: 'Job', instance: 'Instance', version: 'Version', rustversion: 'Rust' }, { w: 8, h: 8, none: 'no Chaoscope is scraped' }),
  ],
});
