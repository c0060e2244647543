// The search that was last looked at, so that a trace can lead back to it. Lasts as long as the page.
import type { TraceQuery } from './query.ts';

let last: TraceQuery | undefined;

export function rememberSearch(query: TraceQuery): void {
  last = query;
}

export function lastSearch(): TraceQuery | undefined {
  return last;
}
