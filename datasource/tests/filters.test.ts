/** Ad hoc filters, the language of values, the rows of the builder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { narrowed, ofAdHoc } from '../src/ask/filters';
import { resolved } from '../src/ask/resolve';
import { both, exactly, join, split } from '../src/ask/words';
import { filtersOf, nextField, rowsOf } from '../src/components/rows';
import { scope } from './templates';

test('ad hoc: every operator has its word', () => {
  const word = (operator: string, value: string, values?: string[]) => ofAdHoc([{ key: 'name', operator, value, values }]).name;
  assert.deepEqual(word('=', 'a'), ['a']);
  assert.deepEqual(word('!=', 'a'), ['!a']);
  assert.deepEqual(word('=~', 'a.*'), ['~a.*']);
  assert.deepEqual(word('!~', 'a.*'), ['!~a.*']);
  assert.deepEqual(word('=|', '', ['a', 'b']), ['a', 'b']);
  assert.deepEqual(word('!=|', '', ['a', 'b']), ['!a', '!b']);
});

test('ad hoc: a value is meant literally', () => {
  assert.deepEqual(ofAdHoc([{ key: 'name', operator: '=', value: 'a*' }]).name, ['~a\\*']);
  assert.deepEqual(ofAdHoc([{ key: 'name', operator: '!=', value: '!a' }]).name, ['!~!a']);
  assert.equal(exactly('~x.y'), '~~x\\.y');
});

test('ad hoc: what cannot be said is an error that says what can', () => {
  assert.throws(() => ofAdHoc([{ key: 'name', operator: '<', value: '1' }]), /use =, !=/);
  assert.throws(() => ofAdHoc([{ key: 'colour', operator: '=', value: 'red' }]), /there are tool, cluster/);
});

test('ad hoc: filters narrow a query and never widen it', () => {
  const ask = (mine: string[], operator: string, value: string) =>
    resolved({ refId: 'A', queryType: 'runs', filters: { name: mine } }, scope([]), [{ key: 'name', operator, value }]).filters?.name;
  assert.deepEqual(ask(['a', 'b'], '=', 'a'), ['a']);
  assert.deepEqual(ask(['a', 'b'], '=', 'c'), ['!*']);
  assert.deepEqual(ask(['a', 'b'], '!=', 'a'), ['a', 'b', '!a']);
  assert.deepEqual(ask(['web-*'], '=', 'web-1'), ['web-1']);
  assert.deepEqual(ask(['web-*'], '=', 'db'), ['!*']);
  assert.deepEqual(ask(['web-1', 'db'], '=~', 'web-.'), ['web-1']);
  assert.throws(() => ask(['web-*'], '=~', '.*-1'), /cannot ask for both at once/);
});

test('ad hoc: a run has several labels, so two of them do not exclude each other', () => {
  assert.throws(() => both('label', ['app=web'], ['tier=front']), /cannot ask for both/);
  assert.deepEqual(both('label', ['app=web'], ['app=web', '!tier=x']), ['app=web', '!tier=x']);
  assert.deepEqual(narrowed({ kind: ['a'] }, { name: ['b'] }), { kind: ['a'], name: ['b'] });
});

test('words: taken apart and put together again', () => {
  for (const value of ['a', '!a', '~a', '!~a', '', '!', 'a*', '!a*']) {
    assert.equal(join(split(value)), value);
  }
});

test('builder: rows and what is saved of them', () => {
  const filters = { name: ['web-*', '!web-0', 'db', '~x.*'], kind: ['PodChaos'], outcome: [''] };
  const rows = rowsOf(filters);
  assert.deepEqual(rows, [
    { field: 'name', operator: '=', texts: ['web-*', 'db'] },
    { field: 'name', operator: '!=', texts: ['web-0'] },
    { field: 'name', operator: '=~', texts: ['x.*'] },
    { field: 'kind', operator: '=', texts: ['PodChaos'] },
    { field: 'outcome', operator: '=', texts: [''] },
  ]);
  assert.deepEqual(rowsOf(filtersOf(rows)), rows);
  assert.deepEqual(filtersOf([{ field: 'name', operator: '=', texts: [] }]), {});
  assert.equal(nextField([]), 'kind');
  assert.equal(nextField(rows), 'namespace');
});
