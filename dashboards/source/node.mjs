/** What node roles read from kernels, what they could not read, and what reading costs. */
import { COLOUR, WHERE, choice, dashboard, graph, heatmap, row, series, stat, states, table } from './parts.mjs';
import { ID, NODES, TARGET, each, quantile, summed } from './words.mjs';

const NODE = 'node=~"$node"';
/** 0 where one of the chosen nodes is there. */
const HERE = NODES.replace(')', `{${NODE}})`);
/** The labels of a faulted pod. */
const POD = `${NODE}, namespace=~"$namespace", pod=~"$pod"`;
const WHOM = '{{namespace}}/{{pod}}{{netns}}';
const ON = '{{node}} {{instance}}';
const device = (metric, by = 'device, handle') => each(`${metric}{${POD}}`, `node, namespace, pod, netns, ${by}`);
const flow = (metric) => `max by (node, namespace, pod, netns, device, handle, kind, parent) (rate(chaoscope_qdisc_${metric}_total{${POD}}[$__rate_interval]))`;
/** All rules of a chain together. */
const matched = (what) =>
  `sum by (node, namespace, pod, netns, backend, family, table, chain) (` +
  `max by (node, namespace, pod, netns, backend, family, table, chain, rule) (rate(chaoscope_iptables_rule_${what}_total{${POD}}[$__rate_interval])))`;
const container = (metric, by = '') => each(`chaos_daemon_${metric}{${POD}}`, `node, namespace, pod, container${by}`);
/** Of Chaoscope's own processes, whatever the job is called. */
const own = (expr) => `${expr} and on (job, instance) chaoscope_netns_visited{${NODE}}`;

/** Whoever has one of these is worth choosing: files and processes are no state of a network namespace. */
const SHOWN = 'chaoscope_netns_info|chaoscope_fault_mounts|chaoscope_helper_processes|chaoscope_residue';

export const node = dashboard('chaoscope-node', 'What node roles read from kernels, what they could not read, and what reading costs.', {
  variables: [
    WHERE,
    choice('node', 'Node', 'label_values(chaoscope_netns_visited, node)', 'From the label that the monitors of manifests/ add; without it, choose All.'),
    choice('namespace', 'Namespace', `label_values({__name__=~"${SHOWN}", node=~"$node"}, namespace)`, 'Of pods with chaos-like state.'),
    choice('pod', 'Pod', `label_values({__name__=~"${SHOWN}", node=~"$node", namespace=~"$namespace"}, pod)`, 'Pods with chaos-like state.'),
  ],
  panels: [
    stat('Nodes', 'Node roles that answered the last scrape.', `count(max by (node, instance) (chaoscope_netns_visited{${NODE}}))`, { w: 3 }),
    stat('Namespaces', 'Network namespaces of pods, in the last sweep of each node.', `sum(chaoscope_netns_visited{${NODE}})`, { w: 3 }),
    stat('Left out', 'Skipped though they belong to pods: gone meanwhile, or the deadline was hit.', `sum(chaoscope_netns_skipped{reason!="host_network", ${NODE}})`, { w: 3, bad: COLOUR.warn }),
    stat('Read errors', 'Reads that failed in the last sweep. What failed has no sample: it does not look clean.', `sum(chaoscope_netns_read_errors{${NODE}})`, { w: 3, bad: COLOUR.bad }),
    stat('Blind spots', 'Kinds of things that could not be seen, behind which chaos may hide. `chaoscope doctor` tells the remedy.', `sum(chaoscope_limitations{blinds="true", ${NODE}})`, { w: 3, bad: COLOUR.bad }),
    stat('With chaos', 'Pods and other namespaces with chaos-like state now: netem or tbf, a chain, set, mount or process that a chaos tool makes.', `count(max by (node, namespace, pod, netns, inode) (chaoscope_netns_info{${NODE}})) or ${HERE}`, { w: 3 }),
    stat('Left behind', 'Objects that change traffic and belong to no run.', summed(each(`chaoscope_residue{effect="effective", ${NODE}}`, `${TARGET}, owner, what`), HERE), { w: 3, bad: COLOUR.bad }),
    stat('Unconnected', 'Nodes that are not told what is declared, so that they cannot give verdicts.', `count(max by (node, instance) (chaoscope_declared_connected{${NODE}}) == 0) or ${HERE}`, { w: 3, bad: COLOUR.warn }),

    row('What reading costs'),
    heatmap('Visits', 'How long a visit to one network namespace took: normally below 0.1 ms. Long ones have many rules.', `sum by (le) (increase(chaoscope_netns_read_duration_seconds_bucket{${NODE}}[$__rate_interval]))`, { w: 8 }),
    graph('A scrape\'s wait', 'How long each source kept the scrape waiting: `sweep` is the namespaces, `runtime` the container runtime.', [series(`max by (source) (chaoscope_scrape_source_duration_seconds and on (job, instance) chaoscope_netns_visited{${NODE}})`, '{{source}}'), series(quantile(0.99, 'chaoscope_netns_read_duration_seconds', 'node', NODE), 'one visit, 99 %')], { w: 8, unit: 's' }),
    graph('Processor', 'What node roles themselves cost. Alike on all nodes; one that differs has more pods or more rules.', [series(own('rate(process_cpu_seconds_total[$__rate_interval])'), ON)], { w: 8, unit: 'percentunit' }),
    graph('Memory', 'Resident and reserved. A node of 110 idle pods takes some 12 MiB resident.', [series(own('process_resident_memory_bytes'), `${ON} resident`), series(own('process_virtual_memory_bytes'), `${ON} reserved`)], { w: 8, unit: 'bytes' }),
    graph('Open files', 'And their limit. A sweep keeps no namespace open afterwards.', [series(own('process_open_fds'), `${ON} open`), series(own('process_max_fds'), `${ON} limit`)], { w: 8 }),
    graph('Age', 'Since when it runs, and which version: restarts show as falls.', [series(`(${own('time() - process_start_time_seconds')}) * on (job, instance) group_left (version) chaoscope_build_info`, `${ON} {{version}}`)], { w: 8, unit: 's' }),

    row('What was seen, and what was not'),
    graph('Read and left out', 'Namespaces in the last sweep.', [series(`sum(chaoscope_netns_visited{${NODE}})`, 'read'), series(`sum by (reason) (chaoscope_netns_skipped{${NODE}})`, 'left out: {{reason}}')], { w: 8, stack: true, decimals: 0 }),
    graph('Errors by source', 'Reads that failed in the last sweep. `ipset` and `iptables` fail without CAP_NET_ADMIN; `namespace` without CAP_SYS_ADMIN or CAP_SYS_PTRACE.', [series(`sum by (source) (chaoscope_netns_read_errors{${NODE}})`, '{{source}}')], { w: 8, none: 'no error', decimals: 0 }),
    graph('Limitations', 'Kinds of things a sweep could not see: chaos may hide behind them, or only names are missing.', [series(`sum by (blinds) (chaoscope_limitations{${NODE}})`, 'blinds: {{blinds}}')], { w: 8, none: 'no limitation', decimals: 0 }),
    graph('Errors by reason', 'EPERM: a right is missing. `gone`: the namespace ended meanwhile, as pods do. `kernel`: this kernel lacks the thing.', [series(`sum by (reason) (chaoscope_netns_read_errors{${NODE}})`, '{{reason}}')], { w: 8, none: 'no error', decimals: 0 }),
    states('Sources', 'Whether each source gave a whole reading to every scrape.', [series(`min by (source) (chaoscope_scrape_source_success and on (job, instance) chaoscope_netns_visited{${NODE}})`, '{{source}}')], [['ok', COLOUR.good]], { w: 8, h: 8, zero: ['failed', COLOUR.bad] }),
    graph('Told by the cluster role', 'Faults declared on each node, and how long ago its cluster role was heard. Heartbeats come all the time; silence makes verdicts unknown.', [
      series(`max by (node, instance) (chaoscope_declared_targets{${NODE}})`, `${ON} declared faults`),
      series(`time() - max by (node, instance) (chaoscope_declared_last_message_timestamp_seconds{${NODE}})`, `${ON} seconds since last heard`),
    ], { w: 8, none: 'no node has a cluster role (--cluster.url)' }),

    row('Chaos on $node'),
    table('Who', 'Every namespace with chaos-like state, and who lives in it.', [each(`chaoscope_netns_info{${POD}}`, 'node, instance, namespace, pod, netns, container, container_id, uid, inode')], { node: 'Node', namespace: 'Namespace', pod: 'Pod', netns: 'Network namespace', container: 'Container', inode: 'Inode', uid: 'Pod UID', container_id: 'Container id' }, { w: 24, h: 7 }),
    table('Residue', 'What chaos left behind. Only objects of an ended run are ours to remove; the rest may be another tool\'s or a person\'s.', [
      each(`chaoscope_residue{${POD}}`, `${TARGET}, effect, owner, what`),
      `1000 * min by (${TARGET}, effect, owner, what) (chaoscope_residue_first_seen_timestamp_seconds{${POD}})`,
    ], { effect: 'Effect', owner: 'Owner', what: 'What', 'Value #A': 'Objects', 'Value #B': 'First seen', namespace: 'Namespace', pod: 'Pod', netns: 'Network namespace', experiment: 'Experiment' }, { w: 14, units: { 'Value #B': 'dateTimeFromNow' } }),
    graph('Residue over time', 'Objects by effect. It should fall to none within a minute after a run has ended.', [series(`sum by (effect, owner) (${each(`chaoscope_residue{${POD}}`, `${TARGET}, effect, owner, what`)})`, '{{effect}}, owner {{owner}}')], { w: 10, none: 'none', decimals: 0 }),
    table('netem', 'Parameters as the kernel has them, in its own rounding.', [
      device('chaoscope_netem_delay_seconds', `device, handle, ${ID}`), device('chaoscope_netem_jitter_seconds', `device, handle, ${ID}`), device('chaoscope_netem_loss_ratio', `device, handle, ${ID}`), device('chaoscope_netem_corrupt_ratio', `device, handle, ${ID}`),
      device('chaoscope_netem_duplicate_ratio', `device, handle, ${ID}`), device('chaoscope_netem_reorder_ratio', `device, handle, ${ID}`), device('chaoscope_netem_rate_bytes_per_second', `device, handle, ${ID}`),
    ], { pod: 'Pod', device: 'Device', 'Value #A': 'Delay', 'Value #B': 'Jitter', 'Value #C': 'Loss', 'Value #D': 'Corrupt', 'Value #E': 'Duplicate', 'Value #F': 'Reorder', 'Value #G': 'Rate', experiment: 'Experiment', handle: 'Handle', namespace: 'Namespace', netns: 'Network namespace' }, {
      w: 24, h: 6, units: { 'Value #A': 's', 'Value #B': 's', 'Value #C': 'percentunit', 'Value #D': 'percentunit', 'Value #E': 'percentunit', 'Value #F': 'percentunit', 'Value #G': 'Bps' } }),
    table('Token bucket filters', 'A bandwidth limit: its rate, bucket and queue.', [
      device('chaoscope_tbf_rate_bytes_per_second', `device, handle, ${ID}`), device('chaoscope_tbf_peakrate_bytes_per_second', `device, handle, ${ID}`), device('chaoscope_tbf_burst_bytes', `device, handle, ${ID}`), device('chaoscope_tbf_limit_bytes', `device, handle, ${ID}`),
    ], { pod: 'Pod', device: 'Device', 'Value #A': 'Rate', 'Value #B': 'Peak rate', 'Value #C': 'Bucket', 'Value #D': 'Queue', experiment: 'Experiment', handle: 'Handle', namespace: 'Namespace', netns: 'Network namespace' }, { w: 24, h: 6, units: { 'Value #A': 'Bps', 'Value #B': 'Bps', 'Value #C': 'bytes', 'Value #D': 'bytes' } }),
    graph('Through qdiscs', 'Bytes that passed the qdiscs of faulted pods.', [series(flow('sent_bytes'), `${WHOM} {{device}} {{kind}}`)], { w: 8, unit: 'Bps' }),
    graph('Packets', 'Sent (above) and dropped by a qdisc: what netem lost on purpose, and what a full queue lost.', [series(flow('sent_packets'), `${WHOM} {{device}} {{kind}} sent`), series(flow('dropped_packets'), `${WHOM} {{device}} {{kind}} dropped`)], { w: 8, unit: 'pps' }),
    graph('Waiting', 'Bytes in the queue, and how often per second it hit its limit.', [series(`max by (node, namespace, pod, netns, device, handle, kind, parent) (chaoscope_qdisc_backlog_bytes{${POD}})`, `${WHOM} {{device}} {{kind}} bytes`), series(flow('overlimits'), `${WHOM} {{device}} {{kind}} limit hit, per second`)], { w: 8 }),
    graph('Packets that rules matched', 'All rules of each chain that chaos made, and of the hooks that lead there. An experiment\'s chain that matches nothing hits nobody.', [series(matched('packets'), '{{pod}}{{netns}} {{chain}}')], { w: 12, unit: 'pps' }),
    graph('Bytes that rules matched', 'The same in bytes.', [series(matched('bytes'), '{{pod}}{{netns}} {{chain}}')], { w: 12, unit: 'Bps' }),
    table('Chains', 'Whether packets can get there from a hook. 0 after a recovery is normal: a benign left-over.', [device('chaoscope_iptables_chain_reachable', 'backend, family, table, chain')], { pod: 'Pod', chain: 'Chain', Value: 'Reachable', table: 'Table', family: 'Family', backend: 'Backend', namespace: 'Namespace', netns: 'Network namespace' }, { units: { Value: 'bool_yes_no' } }),
    table('Sets', 'Members of each ipset that chaos made. An empty set under a rule that is there: the partition hits nobody.', [device('chaoscope_ipset_members', 'set, kind')], { pod: 'Pod', set: 'Set', Value: 'Members', kind: 'Kind', namespace: 'Namespace', netns: 'Network namespace' }, { h: 6 }),
    graph('Helper processes', 'Processes a chaos tool runs for a pod; tproxy stays, idle, between faults.', [series(device('chaoscope_helper_processes', 'kind'), `${WHOM} {{kind}}`)], { w: 12, none: 'no process', decimals: 0 }),
    graph('Mounts', 'File systems mounted over a pod\'s, and a replaced resolv.conf.', [series(device('chaoscope_fault_mounts', 'kind'), `${WHOM} {{kind}}`)], { w: 12, none: 'no mount', decimals: 0 }),

    row('Under the names of Chaos Mesh\'s own daemon'),
    graph('iptables packets', 'Legacy IPv4 only, as the daemon counts; one series for each container.', [series(container('iptables_packets', ', table, chain, policy, rule'), '{{namespace}}/{{pod}}/{{container}} {{chain}} {{rule}}')], { w: 8 }),
    graph('iptables bytes', 'Legacy IPv4 only.', [series(container('iptables_packet_bytes', ', table, chain, policy, rule'), '{{namespace}}/{{pod}}/{{container}} {{chain}} {{rule}}')], { w: 8, unit: 'bytes' }),
    graph('iptables chains and rules', 'How many there are.', [series(container('iptables_chains', ', table'), '{{namespace}}/{{pod}}/{{container}} {{table}} chains'), series(container('iptables_rules', ', table'), '{{namespace}}/{{pod}}/{{container}} {{table}} rules')], { w: 8, decimals: 0 }),
    graph('ipset members', 'Of all sets together.', [series(container('ipset_members'), '{{namespace}}/{{pod}}/{{container}}')], { w: 12, decimals: 0 }),
    graph('qdiscs', 'The kernel\'s defaults included, so never 0 at rest; `chaos_daemon_tcs` is the name before 2.7.1, with --upstream-names=with-old.', [series(container('tcs_rules'), '{{namespace}}/{{pod}}/{{container}}'), series(container('tcs'), '{{namespace}}/{{pod}}/{{container}} (old name)')], { w: 12, decimals: 0 }),
  ],
});
