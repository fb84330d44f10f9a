/** Queries, variables, annotations and live streams, as dashboards run them: what is sent, and what comes back. */
import assert from 'node:assert/strict';

export default async function ({ check, page, backend }) {
  const call = (name, ...given) => page.evaluate(([what, args]) => window.chaoscope[what](...args), [name, given]);
  const sent = () => backend.last('/api/ds/query').body.queries[0];

  await check('queries: variables of a real dashboard become values of one question', async () => {
    const variables = [
      { name: 'ns', value: 'shop' },
      { name: 'pods', value: ['web-0', 'web-1'] },
      { name: 'everything', value: ['$__all'], includeAll: true, isMulti: true, allValue: '.*' },
    ];
    const filters = {
      target_namespace: ['$ns'],
      target_pod: ['${pods}'],
      name: ['x-${pods}-*'],
      kind: ['$everything'],
      label: ['app=[[ns]]'],
    };
    const before = backend.asked.length;
    const found = await call('ask', { queryType: 'runs', filters }, variables);
    assert.deepEqual(found, { error: undefined, rows: 1, fields: ['started_at', 'name'] });
    assert.equal(backend.asked.length, before + 1);
    assert.deepEqual(sent().filters, {
      target_namespace: ['shop'],
      target_pod: ['web-0', 'web-1'],
      name: ['x-web-0-*', 'x-web-1-*'],
      label: ['app=shop'],
    });
  });

  await check('queries: this dashboard, and ad hoc filters', async () => {
    const variables = [
      { name: 'namespace', value: 'shop' },
      { name: 'workload', value: ['web', 'db'] },
    ];
    const filters = [
      { key: 'kind', operator: '=', value: 'PodChaos' },
      { key: 'target_workload', operator: '!=', value: 'db' },
    ];
    await call('ask', { queryType: 'runs', filters: {}, matchDashboard: true }, variables, { filters });
    assert.deepEqual(sent().filters, { target_namespace: ['shop'], target_workload: ['web', 'db', '!db'], kind: ['PodChaos'] });
    assert.equal('matchDashboard' in sent(), false);
  });

  await check('queries: the old plugin’s, with several values, are one request', async () => {
    const variables = [{ name: 'kinds', value: ['PodChaos', 'IOChaos'] }];
    await call('ask', { namespace: 'shop', kind: '$kinds', name: 'a-$kinds', limit: null }, variables);
    const { namespace, kind, name, limit, queryType } = sent();
    assert.deepEqual(
      { namespace, kind, name, limit, queryType },
      { namespace: 'shop', kind: ['PodChaos', 'IOChaos'], name: 'a-$kinds', limit: null, queryType: undefined }
    );
  });

  await check('annotations: a layer run by scenes, for every shape it was ever saved in', async () => {
    const of = async (saved) => [
      await call('annotate', { name: 'Chaos', enable: true, iconColor: 'red', ...saved }, [{ name: 'ns', value: 'shop' }]),
      sent(),
    ];
    for (const [saved, filters] of [
      [{ target: { refId: 'Anno', queryType: 'annotations', filters: { namespace: ['$ns'] } } }, { namespace: ['shop'] }],
      [{ target: { refId: 'Anno', namespace: '$ns', kind: 'PodChaos', limit: null } }, { namespace: ['shop'], kind: ['PodChaos'] }],
      [
        { namespace: 'shop', eventName: 'web', kind: '', object_id: '', limit: 300 },
        { namespace: ['shop'], name: ['web'] },
      ],
    ]) {
      const [events, query] = await of(saved);
      assert.equal(query.queryType, 'annotations');
      assert.equal(query.refId, 'Anno');
      assert.deepEqual(query.filters, filters);
      assert.equal(events.length, 2);
      assert.equal(events[0].timeEnd - events[0].time, 600_000);
      assert.equal(events[0].isRegion, true);
      assert.equal(events[0].title, 'NetworkChaos chaos/web-delay');
      assert.deepEqual(events[0].tags, ['NetworkChaos', 'running']);
      assert.equal(events[0].newState, 'alerting');
      assert.equal(events[0].id, 'r-3');
    }
  });

  await check('variables: lists of ours and of the old plugin, one narrowed by the other', async () => {
    const found = await call('options', [
      { name: 'ns', query: { refId: 'x', queryType: 'values', list: 'namespaces', filters: {} } },
      { name: 'exp', query: { refId: 'x', queryType: 'values', list: 'experiments', filters: { namespace: ['$ns'] } } },
      { name: 'old', query: { metric: 'kind' } },
    ]);
    assert.deepEqual(found, { ns: ['chaos', 'shop'], exp: ['web-delay', 'kill-one'], old: ['NetworkChaos', 'PodChaos'] });
    const asked = backend.asked.filter((it) => it.path === '/api/ds/query').map((it) => it.body.queries[0]);
    assert.deepEqual(asked.findLast((it) => it.list === 'experiments').filters, { namespace: ['chaos'] });
  });

  await check('ad hoc: keys, and values narrowed by the other filters', async () => {
    const keys = await page.evaluate(() => window.chaoscope.datasource.getTagKeys());
    assert.deepEqual(keys, [{ text: 'kind' }, { text: 'namespace' }]);
    const filters = [
      { key: 'namespace', operator: '=', value: 'shop' },
      { key: 'kind', operator: '=', value: 'x' },
    ];
    const values = await page.evaluate((given) => window.chaoscope.datasource.getTagValues({ key: 'kind', filters: given }), filters);
    assert.deepEqual(
      values.map((it) => it.text),
      ['IOChaos', 'NetworkChaos', 'PodChaos', 'StressChaos']
    );
    assert.deepEqual(backend.last('/values').body, { list: 'field:kind', filters: { namespace: ['shop'] } });
  });

  await check('live: a packet takes the place of what was', async () => {
    for (const [queryType, action] of [
      ['runs', 'replace'],
      ['annotations', null],
      ['logs', 'replace'],
    ]) {
      const { opened } = await call('live', { queryType, filters: {}, stream: true });
      if (action) {
        assert.equal(opened[0].buffer.action, action);
        assert.equal(opened[0].addr.path, 'q/abc');
        assert.ok(opened[0].buffer.maxLength >= 5000);
      }
    }
  });

  await check('queries: what is wrong is told by the panel, and its neighbours run', async () => {
    const filters = [{ key: 'name', operator: '=~', value: '.*-1' }];
    const targets = [
      { refId: 'A', queryType: 'runs', filters: { name: ['web-*'] } },
      { refId: 'B', queryType: 'runs', filters: {} },
    ];
    const two = await call('ask', {}, [], { filters, targets });
    assert.match(two.error, /name is filtered twice/);
    assert.equal(two.rows, 1);
    assert.deepEqual(
      backend.last('/api/ds/query').body.queries.map((it) => it.refId),
      ['B']
    );
    const unknown = [{ key: 'colour', operator: '=', value: 'red' }];
    assert.match((await call('ask', { queryType: 'runs', filters: {} }, [], { filters: unknown })).error, /there is no field/);
  });
}
