// The query part of the URL, readable: plain text values, a repeated key is a list.
// (The router's default would write JSON.)

export type RawSearch = Record<string, string | string[]>;

export function parseSearch(text: string): RawSearch {
  const result: RawSearch = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const known = result[key];
    if (known === undefined) result[key] = value;
    else if (Array.isArray(known)) known.push(value);
    else result[key] = [known, value];
  }
  return result;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') params.append(key, String(one));
    }
  }
  // Characters that are legal in a query stay readable.
  const text = params
    .toString()
    .replace(/%3D/g, '=')
    .replace(/%3A/g, ':')
    .replace(/%2F/g, '/')
    .replace(/%2C/g, ',')
    .replace(/%3E/g, '>')
    .replace(/%3C/g, '<');
  return text ? `?${text}` : '';
}

/** One text of a raw value: of a list, the first. */
export function one(value: unknown): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  if (first === undefined || first === null) return undefined;
  return String(first) || undefined;
}

export function many(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String).filter(Boolean);
}
