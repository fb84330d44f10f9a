/**
 * Template variables in filters. A value may be one variable, or hold several in the middle of text; a variable with several values
 * gives several alternatives of one question. What a variable brings into a `~` or `*` value is taken literally there. Pure but for the
 * service it is given.
 */
import type { ScopedVars } from '@grafana/data';
import { escaped, expressionOfGlob, NOTHING, packed } from './words';

/** What is needed of Grafana's TemplateSrv. */
export interface Templates {
  replace(target?: string, scopedVars?: ScopedVars, format?: string | Function): string;
  getVariables(): unknown[];
}

/** A dashboard's variable as far as it matters here. */
interface Variable {
  name?: string;
  type?: string;
  allValue?: string | null;
  regex?: string;
  datasource?: { type?: string; uid?: string } | null;
  query?: { filters?: object; queryString?: string };
  current?: { value?: unknown };
}

/** `$name`, `[[name]]`, `[[name:format]]`, `${name}`, `${name.field:format}`: as Grafana's own. */
const REFERENCE = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}/g;
/** Values of "All" by which people mean everything. */
const EVERYTHING = /^(\.\*|\.\+|\*|)$/;
/** More alternatives of one text than this become a regular expression. */
const MOST_ALTERNATIVES = 50;

/** Texts a reference stands for; `raw` ones are in the language already. */
interface Texts {
  texts: string[];
  raw?: boolean;
}

/** What a reference stands for where that is anything, so that there is nothing to filter. */
const ALL = Symbol('all');
/** Plain text, or what a reference stands for. */
type Piece = string | Texts | typeof ALL;

/** Where variables are looked up. */
export interface Scope {
  templates: Templates;
  scopedVars: ScopedVars;
  /** This plugin's id: "All" of a variable that lists everything of ours needs no filter. */
  id: string;
}

const isAll = (value: unknown) => (Array.isArray(value) ? value.includes('$__all') : value === '$__all');

/** Whether "All" of a variable leaves nothing out: it has such a value of its own, or lists all there is of ours. */
function listsEverything(variable: Variable, id: string): boolean {
  if (typeof variable.allValue === 'string' && variable.allValue !== '') {
    return EVERYTHING.test(variable.allValue);
  }
  const query = variable.query;
  const narrowed = Boolean(variable.regex) || Object.keys(query?.filters ?? {}).length > 0 || Boolean(query?.queryString);
  return variable.type === 'query' && variable.datasource?.type === id && !narrowed;
}

/** What one reference stands for now; itself where nobody knows it. */
function meaning(reference: string, name: string, format: string | undefined, scope: Scope): Piece {
  let seen: unknown;
  const text = scope.templates.replace(reference, scope.scopedVars, (value: unknown) => {
    seen = value;
    return '';
  });
  const variable = (scope.templates.getVariables() as Variable[]).find((it) => it.name === name);
  const local = scope.scopedVars[name] !== undefined || (seen !== undefined && !Array.isArray(seen));
  if (variable && isAll(variable.current?.value) && !local && listsEverything(variable, scope.id)) {
    return ALL;
  }
  if (seen !== undefined) {
    return { texts: (Array.isArray(seen) ? seen : [seen]).map(String) };
  }
  if (text === reference) {
    return reference; // nobody knows it: the backend tells about it
  }
  if (format) {
    return { texts: [text], raw: true };
  }
  // The value of "All" that was typed into the variable: people write regular expressions there.
  const expression = variable && isAll(variable.current?.value) && /[|()[\]+?\\^]|\.\*/.test(text);
  return { texts: [expression && !/^[!~]/.test(text) ? `~${text}` : text], raw: expression };
}

/** A value as text and references. */
function pieces(value: string, scope: Scope): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  for (const match of value.matchAll(REFERENCE)) {
    const name = match[1] ?? match[2] ?? match[4];
    out.push(value.slice(end, match.index), meaning(match[0], name, match[3] ?? match[5], scope));
    end = match.index + match[0].length;
  }
  out.push(value.slice(end));
  return out.filter((piece) => piece !== '');
}

/** All ways to put one of each piece's texts behind each other, or null where there are too many. */
function alternatives(parts: Array<string | Texts>): string[] | null {
  let out = [''];
  for (const part of parts) {
    const texts = typeof part === 'string' ? [part] : part.texts;
    if (out.length * texts.length > MOST_ALTERNATIVES) {
      return null;
    }
    out = out.flatMap((begun) => texts.map((text) => begun + text));
  }
  return out;
}

/** The pieces as one regular expression; `literal` says how plain text is to be read. */
function expression(parts: Array<string | Texts>, literal: (text: string) => string): string {
  const group = (texts: string[]) => (texts.length === 1 ? texts[0] : `(?:${texts.join('|')})`);
  return parts.map((part) => (typeof part === 'string' ? literal(part) : group(part.raw ? part.texts : part.texts.map(escaped)))).join('');
}

/** What one value stands for: values for the API, or null where it filters nothing. */
export function valuesOf(value: string, scope: Scope): string[] | null {
  const prefix = /^!?~?/.exec(value)?.[0] ?? '';
  const found = pieces(value.slice(prefix.length), scope);
  if (found.every((piece) => typeof piece === 'string')) {
    return [value];
  }
  if (found.length === 1 && found[0] === ALL) {
    return null;
  }
  // In the middle of a text, anything may stand there.
  const parts = found.map((piece) => (piece === ALL ? (prefix.endsWith('~') ? '.*' : '*') : piece));
  if (parts.length === 1 && typeof parts[0] !== 'string') {
    const texts = parts[0].texts;
    if (texts.length === 0) {
      return [NOTHING]; // a list with nothing in it: nothing is asked for, and not everything
    }
    if (texts.every((text) => text === '')) {
      return null; // an empty text box filters nothing
    }
  }
  return parts.some((part) => typeof part !== 'string' && part.texts.length === 0) ? [NOTHING] : fixed(prefix, parts);
}

function fixed(prefix: string, parts: Array<string | Texts>): string[] {
  if (prefix.endsWith('~')) {
    return [prefix + expression(parts, (text) => text)];
  }
  const pattern = parts.some((part) => typeof part === 'string' && part.includes('*'));
  const starred = parts.some((part) => typeof part !== 'string' && part.texts.some((text) => text.includes('*')));
  if (pattern && starred) {
    return [`${prefix}~${expression(parts, expressionOfGlob)}`];
  }
  if (parts.length === 1 && typeof parts[0] !== 'string') {
    return parts[0].texts.filter((text) => text !== '').map((text) => negate(prefix, text));
  }
  return alternatives(parts)?.map((text) => prefix + text) ?? [`${prefix}~${expression(parts, expressionOfGlob)}`];
}

/** A variable may bring a `!` of its own. */
const negate = (prefix: string, text: string) => (prefix === '!' && text.startsWith('!') ? text.slice(1) : prefix + text);

/** All values of one field; empty where nothing is left to filter. */
export function interpolated(values: string[], scope: Scope): string[] {
  const found = values.map((value) => valuesOf(value, scope));
  // One alternative that is anything leaves nothing to filter by the others; a negated one leaves nothing to exclude.
  const anything = values.some((value, index) => found[index] === null && !value.startsWith('!') && isFree(value, scope));
  const rest = found.flatMap((it, index) => (it === null || (anything && !values[index].startsWith('!')) ? [] : it));
  // "Nothing" is but one alternative among others.
  const wanted = rest.filter((value) => value !== NOTHING);
  return packed(wanted.length > 0 ? wanted : rest);
}

const isFree = (value: string, scope: Scope) => pieces(value, scope).includes(ALL);

/** What chaosmeshorg-datasource did: only a value that begins with `$` is a variable; several values are a list. */
export function legacy(value: string | string[] | undefined, scope: Scope): string | string[] | undefined {
  if (Array.isArray(value)) {
    return value.flatMap((it) => legacy(it, scope) ?? []);
  }
  if (!value?.startsWith('$')) {
    return value;
  }
  let seen: unknown;
  const text = scope.templates.replace(value, scope.scopedVars, (found: unknown) => {
    seen = found;
    return Array.isArray(found) ? '' : String(found);
  });
  return Array.isArray(seen) ? seen.map(String) : text;
}
