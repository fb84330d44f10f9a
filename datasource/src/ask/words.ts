/** The API's language of values: how an operator and a text become a value, and back. Pure. */

/** What a row of the filter builder can say about a field. */
export type Operator = '=' | '!=' | '=~' | '!~';

/** Most values of one field (the API's own limit). */
export const MOST_VALUES = 100;
/** Longest value, in characters (the API's own limit), with room for what stands around it. */
const LONGEST_VALUE = 1000;
/** What nothing passes: a value that is not anything. */
export const NOTHING = '!*';

/** A value taken apart. */
export interface Word {
  operator: Operator;
  text: string;
}

/** Takes a value apart. */
export function split(value: string): Word {
  const negated = value.startsWith('!');
  const rest = negated ? value.slice(1) : value;
  if (rest.startsWith('~')) {
    return { operator: negated ? '!~' : '=~', text: rest.slice(1) };
  }
  return { operator: negated ? '!=' : '=', text: rest };
}

/** Puts a value together. */
export function join({ operator, text }: Word): string {
  return { '=': '', '!=': '!', '=~': '~', '!~': '!~' }[operator] + text;
}

/** A text as a regular expression that matches it alone. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** A value that matches exactly this text, whatever is in it. */
export function exactly(text: string): string {
  return /^[!~]|\*/.test(text) ? `~${escaped(text)}` : text;
}

/** A text with `*` in it as a regular expression. */
export function expressionOfGlob(text: string): string {
  return text.split('*').map(escaped).join('.*');
}

const isExact = (value: string) => !/^[!~]|\*/.test(value);
const isNegated = (value: string) => value.startsWith('!');

/** Whether a value that is no negation accepts a text. */
function accepts(value: string, text: string): boolean {
  const { operator, text: pattern } = split(value);
  return new RegExp(`^(?:${operator === '=~' ? pattern : expressionOfGlob(pattern)})$`, 's').test(text);
}

/** Fields of which a run can have several values, so that two exact ones do not exclude each other. */
const MANIFOLD = new Set(['label', 'phase', 'text']);

/**
 * Values that hold where both of two lists hold. The API's alternatives cannot say "and", so one list has to be exact: then it is narrowed by
 * the other one. Throws where that cannot be said, because the wider answer would be a wrong one.
 */
export function both(field: string, first: string[] | undefined, second: string[] | undefined): string[] {
  const [a, b] = [first ?? [], second ?? []];
  const negated = [...new Set([...a, ...b].filter(isNegated))];
  const [x, y] = [a.filter((value) => !isNegated(value)), b.filter((value) => !isNegated(value))];
  if (x.length === 0 || y.length === 0 || JSON.stringify(x) === JSON.stringify(y)) {
    return [...(x.length > 0 ? x : y), ...negated];
  }
  const [exact, other] = x.every(isExact) ? [x, y] : [y, x];
  if (MANIFOLD.has(field) || !exact.every(isExact)) {
    throw new Error(
      `${field} is filtered twice, by ${x.join(' or ')} and by ${y.join(' or ')}, and Chaoscope cannot ask for both at once: ` +
        `take one of them out of the query or of the dashboard's filters`
    );
  }
  const kept = exact.filter((text) => other.some((value) => accepts(value, text)));
  return kept.length > 0 ? [...kept, ...negated] : [NOTHING];
}

/** The same values without doubles, and no more than the API takes: exact ones are packed into regular expressions. */
export function packed(values: string[]): string[] {
  const all = [...new Set(values)];
  if (all.length <= MOST_VALUES) {
    return all;
  }
  const out = all.filter((value) => !isExact(value) && !(isNegated(value) && isExact(value.slice(1))));
  const pack = (prefix: string, texts: string[]) => {
    let line = '';
    for (const text of texts.map(escaped)) {
      if (line !== '' && line.length + text.length > LONGEST_VALUE) {
        out.push(prefix + line);
        line = '';
      }
      line += (line === '' ? '' : '|') + text;
    }
    if (line !== '') {
      out.push(prefix + line);
    }
  };
  pack('~', all.filter(isExact));
  pack(
    '!~',
    all.filter((value) => isNegated(value) && isExact(value.slice(1))).map((value) => value.slice(1))
  );
  return out;
}
