// All of one span, for the side panel.
import {
  KINDS,
  kindNumber,
  nanosBetween,
  type OtlpKeyValue,
  readNanos,
  statusCode,
  type ValueType,
  valueText,
  valueType,
} from './otlp.ts';
import type { SourceSpan } from './table.ts';

export interface Attribute {
  key: string;
  value: string;
  type: ValueType;
}

export interface SpanEvent {
  name: string;
  /** Nanoseconds since the start of the span. */
  offsetNs: number;
  attributes: Attribute[];
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attribute[];
}

export interface SpanDetail {
  spanId: string;
  parentSpanId: string;
  kind: string;
  status: 'Unset' | 'Ok' | 'Error';
  statusMessage: string;
  traceState: string;
  startUnixNs: string;
  attributes: Attribute[];
  resource: Attribute[];
  scope: Attribute[];
  events: SpanEvent[];
  links: SpanLink[];
  /** Told by the sender as left out. */
  dropped: { attributes: number; events: number; links: number };
}

export function spanDetail({ span, resource, scope }: SourceSpan): SpanDetail {
  const start = readNanos(span.startTimeUnixNano);
  const scopeParts: Attribute[] = [];
  if (scope.name) scopeParts.push({ key: 'name', value: scope.name, type: 'string' });
  if (scope.version) scopeParts.push({ key: 'version', value: scope.version, type: 'string' });
  return {
    spanId: span.spanId ?? '',
    parentSpanId: span.parentSpanId ?? '',
    kind: KINDS[kindNumber(span.kind)],
    status: (['Unset', 'Ok', 'Error'] as const)[statusCode(span)] ?? 'Unset',
    statusMessage: span.status?.message ?? '',
    traceState: span.traceState ?? '',
    startUnixNs: String(span.startTimeUnixNano ?? '0'),
    attributes: attributeList(span.attributes),
    resource: attributeList(resource.attributes),
    scope: [...scopeParts, ...attributeList(scope.attributes)],
    events: (span.events ?? [])
      .map((event) => ({
        name: event.name ?? '',
        offsetNs: nanosBetween(start, readNanos(event.timeUnixNano)),
        attributes: attributeList(event.attributes),
      }))
      .sort((a, b) => a.offsetNs - b.offsetNs),
    links: (span.links ?? []).map((link) => ({
      traceId: link.traceId ?? '',
      spanId: link.spanId ?? '',
      attributes: attributeList(link.attributes),
    })),
    dropped: {
      attributes: span.droppedAttributesCount ?? 0,
      events: span.droppedEventsCount ?? 0,
      links: span.droppedLinksCount ?? 0,
    },
  };
}

function attributeList(attributes: OtlpKeyValue[] | undefined): Attribute[] {
  return (attributes ?? [])
    .map(({ key, value }) => ({ key, value: valueText(value), type: valueType(value) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}
