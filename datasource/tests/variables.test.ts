/** Template variables in filters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolved } from '../src/ask/resolve';
import { interpolated, legacy } from '../src/ask/variables';
import { Filters, ID } from '../src/types';
import { Given, scope } from './templates';

const VARIABLES: Given[] = [
  { name: 'ns', value: 'shop' },
  { name: 'pods', value: ['web-0', 'web-1'] },
  { name: 'envs', value: ['dev', 'prod'] },
  { name: 'odd', value: ['a.b', 'c*d'] },
  { name: 'glob', value: 'web-*' },
  { name: 'not', value: '!web' },
  { name: 'empty', value: '' },
  { name: 'none', value: [] },
  { name: 'all', value: ['$__all'], options: ['x', 'y'] },
  { name: 'allOurs', value: '$__all', options: ['x', 'y'], type: 'query', datasource: { type: ID } },
  {
    name: 'allOfShop',
    value: '$__all',
    options: ['x', 'y'],
    type: 'query',
    datasource: { type: ID },
    query: { filters: { namespace: ['shop'] } },
  },
  { name: 'allDots', value: ['$__all'], options: ['x'], allValue: '.*' },
  { name: 'allRegex', value: ['$__all'], options: ['x'], allValue: 'web-.+' },
  { name: 'allNone', value: ['$__all'], options: [] },
  { name: 'many', value: Array.from({ length: 300 }, (_, index) => `pod-${index}`) },
];

for (const [what, values, expected] of [
  ['no variable', ['web-*', '!x'], ['web-*', '!x']],
  ['one value', ['$ns'], ['shop']],
  ['in the middle of text', ['x-${ns}-y'], ['x-shop-y']],
  ['the old brackets', ['[[ns]]-y'], ['shop-y']],
  ['several values are several alternatives', ['$pods'], ['web-0', 'web-1']],
  ['several values in the middle of text', ['${envs}-web'], ['dev-web', 'prod-web']],
  ['two variables with several values', ['${envs}-${pods}'], ['dev-web-0', 'dev-web-1', 'prod-web-0', 'prod-web-1']],
  ['not one of them', ['!$pods'], ['!web-0', '!web-1']],
  ['literal in a regular expression', ['~^$odd$'], ['~^(?:a\\.b|c\\*d)$']],
  ['not, in a regular expression', ['!~${envs}-.*'], ['!~(?:dev|prod)-.*']],
  ['literal in a glob', ['x-${odd}-*'], ['~x-(?:a\\.b|c\\*d)-.*']],
  ['a glob beside plain text stays a glob', ['$glob'], ['web-*']],
  ['plain values in a glob', ['${envs}-*'], ['dev-*', 'prod-*']],
  ['not of not', ['!$not'], ['web']],
  ['a format of the person’s own', ['~${pods:regex}'], ['~(web-0|web-1)']],
  ['an empty text box filters nothing', ['$empty'], []],
  ['an empty text box beside a value', ['$empty', 'a'], ['a']],
  ['a list with nothing in it matches nothing', ['$none'], ['!*']],
  ['nothing is but one alternative', ['$none', 'a'], ['a']],
  ['unknown variables stay, to be told about', ['$nobody-x'], ['$nobody-x']],
  ['All of a list of somebody else is that list', ['$all'], ['x', 'y']],
  ['All of everything of ours', ['$allOurs'], []],
  ['All of everything, beside another alternative', ['$allOurs', 'a', '!b'], ['!b']],
  ['All of everything in the middle of text', ['x-$allOurs'], ['x-*']],
  ['All of everything in a regular expression', ['~x-$allOurs'], ['~x-.*']],
  ['All of a narrowed list of ours is that list', ['$allOfShop'], ['x', 'y']],
  ['All with a value that means everything', ['$allDots'], []],
  ['All with a regular expression for value', ['$allRegex'], ['~web-.+']],
  ['All of nothing is nothing', ['$allNone'], ['!*']],
  ['doubles are one', ['$pods', 'web-0'], ['web-0', 'web-1']],
] as Array<[string, string[], string[]]>) {
  test(`variables: ${what}`, () => assert.deepEqual(interpolated(values, scope(VARIABLES)), expected));
}

test('variables: more values than the API takes become regular expressions of at most its length', () => {
  for (const [value, prefix] of [
    ['$many', '~'],
    ['!$many', '!~'],
  ]) {
    const packed = interpolated([value], scope(VARIABLES));
    assert.ok(packed.length > 1 && packed.length <= 20, `${packed.length} values`);
    assert.ok(packed.every((it) => it.startsWith(prefix) && it.length <= 1024));
    const names = packed.flatMap((it) => it.slice(prefix.length).split('|'));
    assert.equal(names.length, 300);
  }
  assert.equal(interpolated(['a-${many}-b'], scope(VARIABLES)).length, 1);
});

test('variables: a repeated panel has its own value', () => {
  const local = scope(VARIABLES, { pods: { value: 'web-1', text: 'web-1' }, allOurs: { value: 'x', text: 'x' } });
  assert.deepEqual(interpolated(['$pods', '$allOurs'], local), ['web-1', 'x']);
});

test('this dashboard: its own variables become filters of targets, within what the query says', () => {
  const dashboard = scope([
    { name: 'namespace', value: 'shop' },
    { name: 'pod', value: ['web-0', 'web-1'] },
    { name: 'node', value: '' },
    { name: 'cluster', value: ['$__all'], allValue: '.*' },
    { name: 'other', value: 'x' },
  ]);
  const ask = (filters: Filters) => resolved({ refId: 'A', queryType: 'runs', filters, matchDashboard: true }, dashboard);
  assert.deepEqual(ask({ kind: ['PodChaos'] }), {
    refId: 'A',
    queryType: 'runs',
    filters: { kind: ['PodChaos'], target_namespace: ['shop'], target_pod: ['web-0', 'web-1'] },
  });
  assert.deepEqual(ask({ target_pod: ['*-1'] }).filters?.target_pod, ['web-1']);
  assert.deepEqual(ask({ target_pod: ['db-0'] }).filters?.target_pod, ['!*']);
  const bare = resolved({ refId: 'A', queryType: 'runs', filters: {}, matchDashboard: true }, scope([]));
  assert.deepEqual(bare, { refId: 'A', queryType: 'runs', filters: {} });
});

test('the old plugin’s queries: only what begins with $ is a variable', () => {
  const given = scope(VARIABLES);
  assert.equal(legacy('$ns', given), 'shop');
  assert.equal(legacy('${ns}', given), 'shop');
  assert.equal(legacy('a-$ns', given), 'a-$ns');
  assert.deepEqual(legacy('$pods', given), ['web-0', 'web-1']);
  assert.deepEqual(legacy('$all', given), ['x', 'y']);
  assert.equal(legacy('$nobody', given), '$nobody');
  const saved = { refId: 'A', object_id: '', namespace: '$ns', kind: '$envs', limit: null, start: 'x', end: 'y' };
  assert.deepEqual(resolved(saved, given), { ...saved, namespace: 'shop', kind: ['dev', 'prod'] });
});
