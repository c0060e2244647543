// The skeleton of a trace as GET /api/v1/traces/{id}/skeleton sends it in bytes: a header and columns
// that are looked at where they are. The layout: docs/trace-page.md.
import { FLAG } from './tree.ts';

export const SKELETON_TYPE = 'application/vnd.throughline.skeleton';

const MAGIC = 'TLSK';
const VERSION = 1;
const FIXED_BYTES = 16;
const ALIGNMENT = 8;

/** Bits of the column `flags`. */
const BIT = { ORPHAN: 2, ERROR: 4, LATE_FOR_PARENT: 32, LATE_FOR_ROOT: 64, CYCLE: 128 } as const;

export interface Skeleton {
  count: number;
  /** RFC 3339 with nanoseconds. */
  startTime: string;
  names: string[];
  services: string[];
  /** Segments that could not be read. */
  partial: string[];
  spanIds: string[];
  start: Float64Array;
  duration: Float64Array;
  /** Place of the parent, −1 without one. */
  parent: Int32Array;
  name: Uint32Array;
  service: Uint32Array;
  kind: Uint8Array;
  /** In the words of the tree. */
  flags: Uint8Array;
}

interface Header {
  start_time: string;
  names: string[];
  services: string[];
  partial?: string[];
}

export function readSkeleton(buffer: ArrayBuffer): Skeleton {
  const magic = new TextDecoder().decode(buffer.slice(0, 4));
  const [version, count, headerBytes] = new Uint32Array(buffer.slice(4, FIXED_BYTES));
  if (magic !== MAGIC || version !== VERSION)
    throw new Error(`no skeleton of version ${VERSION}: it begins with '${magic}', version ${version}`);
  const text = new TextDecoder().decode(new Uint8Array(buffer, FIXED_BYTES, headerBytes));
  const header = JSON.parse(text) as Header;
  let at = FIXED_BYTES + headerBytes;
  const next = (bytes: number) => {
    const here = at;
    at += Math.ceil((count * bytes) / ALIGNMENT) * ALIGNMENT;
    return here;
  };
  const spanIds = hexIds(new Uint8Array(buffer, next(8), count * 8));
  const start = new Float64Array(buffer, next(8), count);
  const duration = new Float64Array(buffer, next(8), count).map((ns) => Math.max(0, ns));
  const parent = new Int32Array(buffer, next(4), count);
  const name = new Uint32Array(buffer, next(4), count);
  const service = new Uint32Array(buffer, next(4), count);
  next(4); // clocks
  const flags = Uint8Array.from(new Uint16Array(buffer, next(2), count), treeFlags);
  const kind = new Uint8Array(buffer, next(1), count);
  markRepeats(spanIds, flags);
  const { names, services, partial = [] } = header;
  const startTime = header.start_time;
  return {
    count,
    startTime,
    names,
    services,
    partial,
    spanIds,
    start,
    duration,
    parent,
    name,
    service,
    kind,
    flags,
  };
}

function treeFlags(bits: number): number {
  const late = bits & (BIT.LATE_FOR_PARENT | BIT.LATE_FOR_ROOT);
  return (
    (bits & BIT.ERROR ? FLAG.ERROR : 0) |
    (bits & BIT.ORPHAN ? FLAG.ORPHAN : 0) |
    (bits & BIT.CYCLE ? FLAG.CYCLE : 0) |
    (late ? FLAG.LATE : 0)
  );
}

function markRepeats(ids: string[], flags: Uint8Array): void {
  const seen = new Set<string>();
  ids.forEach((id, place) => {
    if (seen.has(id)) flags[place] |= FLAG.DUPLICATE;
    seen.add(id);
  });
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexIds(bytes: Uint8Array): string[] {
  const ids = new Array<string>(bytes.length / 8);
  for (let place = 0; place < ids.length; place++) {
    let id = '';
    for (let at = place * 8; at < place * 8 + 8; at++) id += HEX[bytes[at]];
    ids[place] = id;
  }
  return ids;
}
