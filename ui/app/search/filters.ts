// One attribute filter as text: `key op value`, `key` (exists) or `!key` (does not exist).

export const OPERATORS = ['!=', '=~', '!~', '>=', '<=', '=', '>', '<', '~'] as const;
export type Operator = (typeof OPERATORS)[number];

export const OPERATOR_WORDS: Record<Operator, string> = {
  '=': 'equals',
  '!=': 'differs from',
  '=~': 'matches regex',
  '~': 'matches regex',
  '!~': 'does not match regex',
  '>': 'greater than',
  '>=': 'at least',
  '<': 'less than',
  '<=': 'at most',
};

export interface Filter {
  key: string;
  /** Absent: the attribute exists. */
  operator?: Operator;
  value: string;
}

/** Splits at the first operator; a text without one asks that the attribute exists. */
export function parseFilter(text: string): Filter {
  // A quoted key may hold anything; a "!" in front asks that the attribute is missing.
  const from = text.startsWith('"') ? text.indexOf('"', 1) + 1 : text.startsWith('!') ? 1 : 0;
  const at = text.slice(from).search(/[=!<>~]/) + from;
  if (at < from || at === 0) return { key: text.trim(), value: '' };
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
  if (!operator) return { key: text.trim(), value: '' };
  return { key: text.slice(0, at).trim(), operator, value: text.slice(at + operator.length).trim() };
}

/** The filter that finds exactly this value of this attribute. */
export function exactFilter(place: 'span' | 'resource', key: string, value: string): string {
  const quotedKey = /[=!<>~"]/.test(key) && !key.includes('"');
  const name = quotedKey ? `"${key}"` : `${place}.${key}`;
  const plainValue = value === value.trim() && !value.startsWith('"');
  return `${name}=${plainValue ? value : `"${value}"`}`;
}

export function formatFilter(filter: Filter): string {
  return filter.operator ? `${filter.key}${filter.operator}${filter.value}` : filter.key;
}

/** Whether the text is worth sending: a key, and a value where the operator wants one. */
export function isComplete(filter: Filter): boolean {
  return filter.key !== '' && (!filter.operator || filter.value !== '');
}
