/** What is filtered besides what the query says: the dashboard's own variables, and its ad hoc filters. Pure. */
import { FIELDS, FieldName, Filters } from '../types';
import { interpolated, Scope } from './variables';
import { both, exactly } from './words';

/** An ad hoc filter as Grafana hands it over. */
export interface AdHocFilter {
  key: string;
  operator: string;
  value: string;
  values?: string[];
}

/** Variables by which application dashboards say what they show, and the field each stands for. */
export const OF_DASHBOARD: Record<string, FieldName> = {
  namespace: 'target_namespace',
  pod: 'target_pod',
  node: 'target_node',
  workload: 'target_workload',
  cluster: 'cluster',
};

/** The dashboard's own variables as filters; what is not there or not set filters nothing. */
export function ofDashboard(scope: Scope): Filters {
  const present = new Set((scope.templates.getVariables() as Array<{ name?: string }>).map((variable) => variable.name));
  const out: Filters = {};
  for (const [name, field] of Object.entries(OF_DASHBOARD)) {
    if (!present.has(name) && scope.scopedVars[name] === undefined) {
      continue;
    }
    const values = interpolated([`\${${name}}`], scope);
    if (values.length > 0) {
      out[field] = values;
    }
  }
  return out;
}

/** Ad hoc filters in the API's language. Throws what to change where that cannot be said in it. */
export function ofAdHoc(filters: AdHocFilter[] | undefined): Filters {
  let out: Filters = {};
  for (const filter of filters ?? []) {
    const values = valuesOfAdHoc(filter);
    if (!(FIELDS as readonly string[]).includes(filter.key)) {
      throw new Error(`there is no field ${JSON.stringify(filter.key)} to filter by; there are ${FIELDS.join(', ')}`);
    }
    out = narrowed(out, { [filter.key]: values });
  }
  return out;
}

function valuesOfAdHoc({ key, operator, value, values }: AdHocFilter): string[] {
  switch (operator) {
    case '=':
      return [exactly(value)];
    case '!=':
      return [`!${exactly(value)}`];
    case '=~':
      return [`~${value}`];
    case '!~':
      return [`!~${value}`];
    case '=|':
      return (values ?? [value]).map(exactly);
    case '!=|':
      return (values ?? [value]).map((it) => `!${exactly(it)}`);
    default:
      throw new Error(
        `the dashboard filters ${key} by ${operator}, which has no meaning for chaos runs; use =, !=, =~, !~ or several values`
      );
  }
}

/** Filters that hold where both hold. */
export function narrowed(first: Filters, second: Filters): Filters {
  const out: Filters = { ...first };
  for (const [field, values] of Object.entries(second) as Array<[FieldName, string[]]>) {
    out[field] = both(field, out[field], values);
  }
  return out;
}
