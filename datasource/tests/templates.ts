/** A dashboard's variables for the unit tests: the part of Grafana's TemplateSrv that is used, with the same answers. */
import type { ScopedVars } from '@grafana/data';
import { Scope } from '../src/ask/variables';
import { ID } from '../src/types';

export interface Given {
  name: string;
  value: string | string[];
  /** What "All" stands for. */
  options?: string[];
  allValue?: string;
  [more: string]: unknown;
}

const REFERENCE = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}/g;

export function scope(variables: Given[], scopedVars: ScopedVars = {}): Scope {
  const replace = (target = '', scoped: ScopedVars = {}, format?: string | Function) =>
    target.replace(REFERENCE, (whole, a, b, bFormat, c, cFormat) => {
      const name = a ?? b ?? c;
      const variable = variables.find((it) => it.name === name);
      const local = scoped[name];
      if (!variable && !local) {
        return whole;
      }
      let value = local ? local.value : variable!.value;
      if (!local && isAll(value)) {
        if (variable!.allValue) {
          return variable!.allValue;
        }
        value = variable!.options ?? [];
      }
      const wanted = bFormat ?? cFormat ?? format;
      if (typeof wanted === 'function') {
        return wanted(value, variable ?? {}, String);
      }
      const values = [value].flat();
      return wanted === 'regex' ? (values.length === 1 ? values[0] : `(${values.join('|')})`) : values.join(',');
    });
  const getVariables = () => variables.map(({ value, ...rest }) => ({ type: 'custom', ...rest, current: { value } }));
  return { templates: { replace, getVariables }, scopedVars, id: ID };
}

const isAll = (value: unknown) => [value].flat().includes('$__all');
