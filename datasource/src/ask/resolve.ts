/** From a saved query to the one that is sent: variables, ad hoc filters and the dashboard's own variables have become values. Pure. */
import { ChaosQuery, FieldName, Filters } from '../types';
import { AdHocFilter, narrowed, ofAdHoc, ofDashboard } from './filters';
import { filtersOf, isLegacy } from './legacy';
import { interpolated, legacy, Scope } from './variables';

/** Values in place of variables, in every filter. */
function resolvedFilters(filters: Filters | undefined, scope: Scope): Filters {
  const out: Filters = {};
  for (const [field, values] of Object.entries(filters ?? {}) as Array<[FieldName, string[] | undefined]>) {
    const found = interpolated(values ?? [], scope);
    if (found.length > 0) {
      out[field] = found;
    }
  }
  return out;
}

/** What is sent to the backend. */
export function resolved(query: ChaosQuery, scope: Scope, adHoc?: AdHocFilter[]): ChaosQuery {
  if (isLegacy(query)) {
    return resolvedLegacy(query, scope, adHoc);
  }
  const { matchDashboard, ...rest } = query;
  let filters = resolvedFilters(query.filters, scope);
  if (matchDashboard) {
    filters = narrowed(filters, ofDashboard(scope));
  }
  return { ...rest, filters: narrowed(filters, ofAdHoc(adHoc)) };
}

/** The old plugin knew no ad hoc filters; where a dashboard has some now, they hold for its old queries too, as filters of the events. */
function resolvedLegacy(query: ChaosQuery, scope: Scope, adHoc?: AdHocFilter[]): ChaosQuery {
  const { object_id, namespace, name, kind } = query;
  const fields = Object.fromEntries(
    Object.entries({ object_id, namespace, name, kind })
      .map(([key, value]) => [key, legacy(value, scope)] as const)
      .filter(([, value]) => value !== undefined)
  );
  const out = { ...query, ...fields };
  const filters = ofAdHoc(adHoc);
  return Object.keys(filters).length === 0 ? out : { ...out, ...asEvents(out, filters) };
}

const asEvents = (query: ChaosQuery, filters: Filters): Partial<ChaosQuery> => ({
  queryType: 'events',
  filters: narrowed(filtersOf(query), filters),
  object_id: undefined,
  namespace: undefined,
  name: undefined,
  kind: undefined,
});
