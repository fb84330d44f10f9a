/** Filters as rows of the builder, and back. Pure. */
import { join, Operator, split } from '../ask/words';
import { FieldName, FIELDS, Filters } from '../types';

/** One row: a field, what is said about it, and the texts it is said of. */
export interface Row {
  field: FieldName;
  operator: Operator;
  texts: string[];
}

/** Rows of what is saved: one for each field and operator. */
export function rowsOf(filters: Filters | undefined): Row[] {
  const rows: Row[] = [];
  for (const [field, values] of Object.entries(filters ?? {}) as Array<[FieldName, string[] | undefined]>) {
    for (const { operator, text } of (values ?? []).map(split)) {
      const row = rows.find((it) => it.field === field && it.operator === operator);
      if (row) {
        row.texts.push(text);
      } else {
        rows.push({ field, operator, texts: [text] });
      }
    }
  }
  return rows;
}

/** What is saved of rows; one without texts says nothing yet. */
export function filtersOf(rows: Row[]): Filters {
  const out: Filters = {};
  for (const { field, operator, texts } of rows) {
    if (texts.length > 0) {
      out[field] = [...new Set([...(out[field] ?? []), ...texts.map((text) => join({ operator, text }))])];
    }
  }
  return out;
}

/** The field of a new row: the first that no row has, beginning with what is asked for most. */
export function nextField(rows: Row[]): FieldName {
  const order: FieldName[] = ['kind', 'namespace', 'name', 'target_namespace', 'target_workload', 'target_pod', ...FIELDS];
  return order.find((field) => !rows.some((row) => row.field === field)) ?? 'name';
}
