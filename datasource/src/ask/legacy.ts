/**
 * What chaosmeshorg-datasource (2.x, 3.0.0) and yeya24-chaosmesh-datasource saved, and what it means here. Panel queries stay as they are
 * (the backend answers them in their old columns); annotations and variables become queries of ours. Pure.
 */
import type { AnnotationQuery } from '@grafana/data';
import { ChaosQuery, FieldName, Filters, LegacyFields } from '../types';
import { exactly } from './words';

/** A variable's query: `{metric, queryString}`. */
export interface LegacyVariable {
  metric: string;
  queryString?: string;
}

const LISTS: Record<string, string> = {
  namespace: 'namespaces',
  kind: 'kinds',
  experiment: 'experiments',
  schedule: 'schedules',
  workflow: 'workflows',
};

/** Whether a saved query is one of the old plugin's; one without any filter asked for every event. */
export function isLegacy(query: Partial<ChaosQuery>): boolean {
  return !query.queryType && !query.filters;
}

/** A saved text as a value: a variable stays one, everything else is meant literally. */
const valueOf = (text: string) => (text.startsWith('$') ? text : exactly(text));

/** The old plugin's fields as filters. An object's id is found as text, for uids are looked at there and nobody else has the same. */
export function filtersOf({ object_id, namespace, name, kind }: LegacyFields): Filters {
  const out: Filters = {};
  const fields: Array<[FieldName, string | string[] | undefined]> = [
    ['text', object_id],
    ['namespace', namespace],
    ['name', name],
    ['kind', kind],
  ];
  for (const [field, value] of fields) {
    const values = [value ?? []].flat().filter((it) => it !== '');
    if (values.length > 0) {
      out[field] = values.map(valueOf);
    }
  }
  return out;
}

const limitOf = (limit: unknown) => (typeof limit === 'number' && Number.isFinite(limit) && limit > 0 ? { limit } : {});

/** An annotation as any version saved it, with a target of ours. What is ours already stays as it is. */
export function annotation(saved: AnnotationQuery<ChaosQuery> & Record<string, unknown>): AnnotationQuery<ChaosQuery> {
  if (saved.target?.queryType || saved.target?.filters) {
    return saved;
  }
  const {
    object_id,
    namespace,
    eventName,
    kind,
    limit,
    experimentName,
    experimentNamespace,
    startTime: _from,
    finishTime: _to,
    queryType: _type,
    filters: _filters,
    ...rest
  } = saved;
  const old: LegacyFields & { limit?: unknown } = saved.target ?? {
    object_id: object_id as string | undefined,
    namespace: (namespace ?? experimentNamespace) as string | undefined,
    name: (eventName ?? experimentName) as string | undefined,
    kind: kind as string | undefined,
    limit,
  };
  const target: ChaosQuery = {
    refId: saved.target?.refId ?? 'Anno',
    queryType: 'annotations',
    filters: filtersOf(old),
    ...limitOf(old.limit),
  };
  return { ...rest, name: saved.name, enable: saved.enable, iconColor: saved.iconColor, target };
}

/** A variable's query as any version saved it, as a query of ours. */
export function variable(saved: unknown): ChaosQuery {
  if (typeof saved === 'object' && saved !== null && !('metric' in saved)) {
    return { refId: 'variable', ...(saved as Partial<ChaosQuery>), queryType: 'values' };
  }
  const { metric, queryString } = (typeof saved === 'string' ? { metric: saved } : (saved ?? {})) as Partial<LegacyVariable>;
  const list = LISTS[metric ?? ''];
  const parameters = new URLSearchParams((queryString ?? '').replace(/^\?/, ''));
  const asked = Object.fromEntries(['namespace', 'name', 'kind'].map((key) => [key, parameters.get(key) ?? undefined]));
  // Only lists of objects were narrowed; an unknown list was empty.
  const filters = metric === 'namespace' || metric === 'kind' ? {} : filtersOf(asked);
  return { refId: 'variable', queryType: 'values', filters, ...(list ? { list } : {}) };
}
