// What the URL of a trace page holds: selection, zoom, search and the panel's tab.
import type { SearchSchemaInput } from '@tanstack/react-router';
import { one } from '../lib/search_params.ts';

export const PANEL_TABS = ['span', 'logs'] as const;
export type PanelTab = (typeof PANEL_TABS)[number];

export interface TraceView {
  /** Key of the selected span: its id, with ~n for the n-th span that shares it (selection.ts). */
  span?: string;
  /** "from-to", nanoseconds since the start of the trace. */
  zoom?: string;
  /** Search within the trace. */
  q?: string;
  tab?: PanelTab;
}

export function readTraceView(raw: TraceView & SearchSchemaInput): TraceView {
  const view: TraceView = {};
  const span = one(raw.span);
  const zoom = one(raw.zoom);
  const q = one(raw.q);
  const tab = one(raw.tab);
  if (span && /^[0-9a-f]{1,16}(~\d{1,6})?$/i.test(span)) view.span = span.toLowerCase();
  if (zoom && /^\d{1,16}-\d{1,16}$/.test(zoom)) view.zoom = zoom;
  if (q) view.q = q;
  if (tab === 'logs') view.tab = tab;
  return view;
}
