// OTLP/JSON as GET /api/v1/traces/{id} sends it, and its values as plain ones.

export interface OtlpKeyValue {
  key: string;
  value?: OtlpValue;
}

export interface OtlpValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number | string;
  bytesValue?: string;
  arrayValue?: { values?: OtlpValue[] };
  kvlistValue?: { values?: OtlpKeyValue[] };
}

export interface OtlpEvent {
  timeUnixNano?: string | number;
  name?: string;
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
}

export interface OtlpLink {
  traceId?: string;
  spanId?: string;
  traceState?: string;
  attributes?: OtlpKeyValue[];
}

export interface OtlpSpan {
  traceId?: string;
  spanId?: string;
  parentSpanId?: string;
  traceState?: string;
  flags?: number;
  name?: string;
  kind?: number | string;
  startTimeUnixNano?: string | number;
  endTimeUnixNano?: string | number;
  attributes?: OtlpKeyValue[];
  events?: OtlpEvent[];
  links?: OtlpLink[];
  status?: { code?: number | string; message?: string };
  droppedAttributesCount?: number;
  droppedEventsCount?: number;
  droppedLinksCount?: number;
}

export interface OtlpScope {
  name?: string;
  version?: string;
  attributes?: OtlpKeyValue[];
}

export interface OtlpResource {
  attributes?: OtlpKeyValue[];
}

export interface OtlpTrace {
  resourceSpans?: {
    resource?: OtlpResource;
    schemaUrl?: string;
    scopeSpans?: { scope?: OtlpScope; schemaUrl?: string; spans?: OtlpSpan[] }[];
  }[];
}

export const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const KIND_NAMES = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;

export function kindNumber(kind: number | string | undefined): number {
  if (typeof kind === 'number') return kind in KINDS ? kind : 0;
  return Math.max(0, KIND_NAMES.indexOf((kind ?? '').replace('SPAN_KIND_', '')));
}

/** 0 unset, 1 ok, 2 error. */
export function statusCode(span: OtlpSpan): number {
  const code = span.status?.code;
  if (typeof code === 'string')
    return code.endsWith('ERROR') ? 2 : code.endsWith('OK') ? 1 : Number(code) || 0;
  return code ?? 0;
}

/** A time of 64 bits in two halves, so that differences are exact without BigInt. */
export interface Nanos {
  seconds: number;
  nanos: number;
}

export function readNanos(value: string | number | undefined): Nanos {
  const text = String(value ?? '0');
  return { seconds: Number(text.slice(0, -9)) || 0, nanos: Number(text.slice(-9)) || 0 };
}

export function nanosBetween(from: Nanos, to: Nanos): number {
  return (to.seconds - from.seconds) * 1e9 + (to.nanos - from.nanos);
}

export type ValueType = 'string' | 'int' | 'double' | 'bool' | 'bytes' | 'array' | 'map' | 'empty';

export function valueType(value: OtlpValue | undefined): ValueType {
  if (!value) return 'empty';
  if (value.stringValue !== undefined) return 'string';
  if (value.intValue !== undefined) return 'int';
  if (value.doubleValue !== undefined) return 'double';
  if (value.boolValue !== undefined) return 'bool';
  if (value.bytesValue !== undefined) return 'bytes';
  if (value.arrayValue) return 'array';
  if (value.kvlistValue) return 'map';
  return 'empty';
}

/** A value as text: numbers in decimal, bytes in base64, arrays and maps as JSON. */
export function valueText(value: OtlpValue | undefined): string {
  const type = valueType(value);
  if (!value || type === 'empty') return '';
  if (type === 'array' || type === 'map') return JSON.stringify(plain(value));
  return String(
    value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? value.bytesValue,
  );
}

/** JSON's own nesting ends here too; deeper values are cut. */
const DEPTH_MAX = 32;

function plain(value: OtlpValue | undefined, depth = 0): unknown {
  const type = valueType(value);
  if (!value || type === 'empty' || depth > DEPTH_MAX) return null;
  if (type === 'array') return (value.arrayValue?.values ?? []).map((one) => plain(one, depth + 1));
  if (type === 'map') {
    return Object.fromEntries(
      (value.kvlistValue?.values ?? []).map(({ key, value }) => [key, plain(value, depth + 1)]),
    );
  }
  if (type === 'int') {
    const number = Number(value.intValue);
    return Number.isSafeInteger(number) ? number : String(value.intValue);
  }
  return value.stringValue ?? value.doubleValue ?? value.boolValue ?? value.bytesValue;
}

export function attributeText(attributes: OtlpKeyValue[] | undefined, key: string): string | undefined {
  const found = attributes?.find((attribute) => attribute.key === key);
  return found ? valueText(found.value) : undefined;
}
