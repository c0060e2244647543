// The server's status (/api/v1/status) in a word.
import type { Status } from '../api/types.ts';
import { formatCount } from '../lib/format.ts';

export interface StatusText {
  state: 'ok' | 'busy' | 'down' | 'unknown';
  label: string;
  detail: string;
}

export function describeStatus(status: Status | undefined, error: unknown): StatusText {
  if (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { state: 'down', label: 'Unreachable', detail: message };
  }
  if (!status) return { state: 'unknown', label: '…', detail: 'Asking the server' };
  const ready = find(status, 'ready');
  if (ready === false) {
    const stage = find(status, 'stage');
    return { state: 'busy', label: 'Starting', detail: typeof stage === 'string' ? stage : 'Not ready yet' };
  }
  const settled = find(status, 'settled');
  const spans = find(status, 'spans');
  const parts = ['The server takes data in'];
  if (typeof spans === 'number') parts.push(`${formatCount(spans)} spans`);
  if (typeof settled === 'boolean') parts.push(settled ? 'compaction settled' : 'compacting');
  return { state: 'ok', label: 'Receiving', detail: parts.join(' · ') };
}

/** A field at the top or one level below. */
function find(status: Status, key: string): unknown {
  if (key in status) return status[key];
  for (const part of Object.values(status)) {
    if (part && typeof part === 'object' && key in part) return (part as Status)[key];
  }
  return undefined;
}
