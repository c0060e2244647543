// Search within a trace: every word must occur in the span's service, name, ids or attributes.
import { type OtlpKeyValue, valueText } from './otlp.ts';
import type { SourceSpan, TraceTable } from './table.ts';

/** `"two words"` stay together; letter case does not count. */
export function splitWords(text: string): string[] {
  return [...text.toLowerCase().matchAll(/"([^"]*)"|(\S+)/g)]
    .map((match) => match[1] ?? match[2])
    .filter(Boolean);
}

/** The rows that match, ascending. */
export function findSpans(table: TraceTable, sources: (SourceSpan | undefined)[], text: string): Int32Array {
  const words = splitWords(text);
  if (words.length === 0) return new Int32Array();
  const services = table.services.map((name) => name.toLowerCase());
  const names = table.names.map((name) => name.toLowerCase());
  const rows: number[] = [];
  for (let row = 0; row < table.count; row++) {
    const service = services[table.service[row]];
    const name = names[table.name[row]];
    const matches = (word: string) =>
      service.includes(word) ||
      name.includes(word) ||
      table.spanIds[row].startsWith(word) ||
      inSource(sources[row], word);
    if (words.every(matches)) rows.push(row);
  }
  return Int32Array.from(rows);
}

function inSource(source: SourceSpan | undefined, word: string): boolean {
  if (!source) return false;
  const { span, resource } = source;
  return (
    inAttributes(span.attributes, word) ||
    !!span.status?.message?.toLowerCase().includes(word) ||
    (span.events ?? []).some(
      (event) => event.name?.toLowerCase().includes(word) || inAttributes(event.attributes, word),
    ) ||
    inAttributes(resource.attributes, word)
  );
}

function inAttributes(attributes: OtlpKeyValue[] | undefined, word: string): boolean {
  return (attributes ?? []).some(({ key, value }) =>
    `${key}=${valueText(value)}`.toLowerCase().includes(word),
  );
}
