/** What is saved: the examples both sides read, and what the old plugin saved. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { AnnotationQuery } from '@grafana/data';
import { annotation, filtersOf, isLegacy, variable } from '../src/ask/legacy';
import { resolved } from '../src/ask/resolve';
import { EXAMPLES } from '../src/components/examples';
import { byOptions, fieldOptions, listOptions, typeOptions } from '../src/fields';
import { ChaosQuery, COUNTED_BY, FIELDS, ID, LISTS, QUERY_TYPES } from '../src/types';
import { scope } from './templates';

interface Example {
  name: string;
  query: ChaosQuery;
  ok?: { type: string; limit?: number; filter: Array<[string, string]> };
  error?: string;
}

const examples: Example[] = JSON.parse(readFileSync('query.examples.json', 'utf8'));

/** Whether the editors could have saved this. */
function problem(query: ChaosQuery): string | undefined {
  const lists = [...LISTS, ...FIELDS.map((field) => `field:${field}`)] as string[];
  const phases = ['selecting', 'injecting', 'running', 'recovering', 'finished', 'stuck', 'overdue'];
  const strange = [
    ...[query.queryType ?? 'runs'].filter((it) => it !== 'values' && !(QUERY_TYPES as readonly string[]).includes(it)),
    ...Object.keys(query.filters ?? {}).filter((it) => !(FIELDS as readonly string[]).includes(it)),
    ...(query.queryType === 'values' ? [query.list ?? ''].filter((it) => !lists.includes(it)) : []),
    ...(query.by ?? []).filter((it) => !(COUNTED_BY as readonly string[]).includes(it)),
    ...(query.filters?.phase ?? []).filter((it) => !phases.includes(it)),
    ...Object.values(query.filters ?? {})
      .flat()
      .flatMap((it) => /\$\w+|\$\{\w+\}/.exec(it) ?? []),
  ];
  return strange[0];
}

for (const { name, query, ok, error } of examples) {
  test(`saved: ${name}`, () => {
    assert.equal(problem(query), error);
    if (!ok) {
      return;
    }
    const sent = resolved(query, scope([]));
    assert.equal(isLegacy(sent) ? 'legacy' : sent.queryType, ok.type);
    const filters = isLegacy(sent) ? filtersOf(sent) : (sent.filters ?? {});
    const pairs = Object.entries(filters).flatMap(([field, values]) => values.map((value) => [field, value]));
    assert.deepEqual(pairs.sort(), [...ok.filter].sort());
    assert.equal(sent.limit ?? undefined, ok.limit);
  });
}

test('saved: every type, field and list has words in the editors, and an example', () => {
  assert.deepEqual(
    typeOptions.map((it) => it.value),
    [...QUERY_TYPES]
  );
  assert.deepEqual(
    fieldOptions.map((it) => it.value),
    [...FIELDS]
  );
  assert.ok(LISTS.every((list) => listOptions.find((it) => it.value === list)?.label));
  assert.ok(byOptions.every((it) => it.label));
  assert.ok(EXAMPLES.every(({ query }) => problem({ ...query, refId: 'A' }) === undefined));
});

test('saved: the id is the same everywhere', () => {
  assert.equal(JSON.parse(readFileSync('src/plugin.json', 'utf8')).id, ID);
  assert.equal(JSON.parse(readFileSync('package.json', 'utf8')).name, ID);
});

const anno = (part: object) =>
  annotation({ name: 'Chaos', enable: true, iconColor: 'red', ...part } as unknown as AnnotationQuery<ChaosQuery> &
    Record<string, unknown>);

test('old annotations: version 3 has a target', () => {
  const migrated = anno({ target: { refId: 'Anno', namespace: '$ns', name: 'web', kind: '', object_id: 'u-1', limit: null, start: 'x' } });
  assert.deepEqual(migrated.target, {
    refId: 'Anno',
    queryType: 'annotations',
    filters: { text: ['u-1'], namespace: ['$ns'], name: ['web'] },
  });
  assert.equal(migrated.name, 'Chaos');
});

test('old annotations: version 2 has none, and eventName for a name', () => {
  const migrated = anno({ namespace: 'shop', eventName: 'web*', kind: 'PodChaos', object_id: '', limit: 300 });
  assert.deepEqual(migrated.target, {
    refId: 'Anno',
    queryType: 'annotations',
    filters: { namespace: ['shop'], name: ['~web\\*'], kind: ['PodChaos'] },
    limit: 300,
  });
  assert.equal('eventName' in migrated, false);
  assert.deepEqual(anno({ experimentName: 'x', experimentNamespace: 'y', startTime: '', finishTime: '' }).target?.filters, {
    namespace: ['y'],
    name: ['x'],
  });
});

test('the annotation of the example application is ours, and stays as it is', () => {
  const dashboard = JSON.parse(readFileSync('../dashboards/application.json', 'utf8'));
  const layers = dashboard.annotations.list.filter((it: { datasource: { type: string } }) => it.datasource.type === ID);
  assert.equal(layers.length, 1);
  assert.equal(problem(layers[0].target), undefined);
  assert.deepEqual(annotation(layers[0]).target, layers[0].target);
  assert.equal(layers[0].target.matchDashboard, true);
});

test('our own annotations stay as they are, and a migrated one is not migrated again', () => {
  const own = { target: { refId: 'Anno', queryType: 'annotations', filters: { kind: ['x'] }, matchDashboard: true } };
  assert.deepEqual(anno(own).target, own.target);
  const once = anno({ namespace: 'shop' });
  assert.deepEqual(annotation(once as AnnotationQuery<ChaosQuery> & Record<string, unknown>), once);
});

test('old variables: a metric and a query string', () => {
  const list = (metric: string, queryString?: string) => variable({ metric, queryString });
  assert.deepEqual(list('namespace'), { refId: 'variable', queryType: 'values', list: 'namespaces', filters: {} });
  assert.equal(list('kind').list, 'kinds');
  assert.deepEqual(list('experiment', '?namespace=default&kind=PodChaos').filters, { namespace: ['default'], kind: ['PodChaos'] });
  assert.equal(list('schedule', 'namespace=a').list, 'schedules');
  assert.equal(list('workflow').list, 'workflows');
  assert.equal(list('nonsense').list, undefined);
  assert.deepEqual(variable({ refId: 'x', list: 'kinds', filters: {} }), { refId: 'x', queryType: 'values', list: 'kinds', filters: {} });
});

test('the overview dashboard asks nothing the editors could not save', () => {
  const dashboard = JSON.parse(readFileSync('src/dashboards/overview.json', 'utf8'));
  const names = new Set(dashboard.templating.list.map((it: { name: string }) => it.name));
  const of = [
    ...dashboard.panels.flatMap((it: { targets: ChaosQuery[] }) => it.targets),
    ...dashboard.templating.list.map((it: { query?: unknown }) => it.query),
  ];
  const queries: ChaosQuery[] = [...of, ...dashboard.annotations.list.map((it: { target?: unknown }) => it.target)].filter(
    (it) => typeof it === 'object' && it
  );
  assert.equal(queries.length, 8 + 3 + 2);
  for (const query of queries) {
    const used = Object.values(query.filters ?? {})
      .flat()
      .flatMap((it) => /^\$(\w+)$/.exec(it)?.[1] ?? []);
    assert.ok(
      used.every((name) => names.has(name)),
      `${used}`
    );
    const plain = Object.fromEntries(
      Object.entries(query.filters ?? {}).map(([field, values]) => [field, values.filter((it) => !it.startsWith('$'))])
    );
    assert.equal(problem({ ...query, filters: plain }), undefined);
  }
  assert.equal(new Set(dashboard.panels.map((it: { id: number }) => it.id)).size, dashboard.panels.length);
  assert.ok(
    JSON.parse(readFileSync('src/plugin.json', 'utf8')).includes.some((it: { path: string }) => it.path === 'dashboards/overview.json')
  );
});
