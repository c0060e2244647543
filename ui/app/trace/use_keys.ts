import { useKeys } from '../lib/keys.ts';
import { hasChildren } from './rows.ts';
import type { TraceState } from './use_state.ts';
import { clampViewport, fullViewport, zoomAround } from './viewport.ts';

interface Actions {
  onSearch: () => void;
  onHelp: () => void;
  onBack: () => void;
}

const ZOOM_STEP = 0.6;
/** Room on both sides of a span that is zoomed to. */
const ZOOM_MARGIN = 0.08;

export function useTraceKeys(state: TraceState, { onSearch, onHelp, onBack }: Actions): void {
  const { table, selected, collapsed, viewport } = state;
  const fold = () => {
    if (selected < 0) return;
    if (hasChildren(table, selected) && !collapsed.has(selected)) state.toggle(selected);
    else if (table.parent[selected] >= 0) state.selectFromLogs(table.parent[selected]);
  };
  const unfold = () => {
    if (selected < 0 || !hasChildren(table, selected)) return;
    if (collapsed.has(selected)) state.toggle(selected);
    else state.selectFromLogs(selected + 1);
  };
  const zoom = (factor: number) => {
    const middle = selected >= 0 ? table.start[selected] + table.duration[selected] / 2 : Number.NaN;
    const inside = middle >= viewport.from && middle <= viewport.to;
    const at = inside ? middle : (viewport.from + viewport.to) / 2;
    state.setViewport(zoomAround(viewport, at, factor, table.durationNs));
  };
  const zoomToSpan = () => {
    if (selected < 0) return;
    const margin = Math.max(table.duration[selected] * ZOOM_MARGIN, 1);
    const from = table.start[selected] - margin;
    const to = table.start[selected] + table.duration[selected] + margin;
    state.setViewport(clampViewport({ from, to }, table.durationNs));
  };
  const close = () => {
    if (selected >= 0) state.select(-1);
    else if (state.view.q) state.change({ q: undefined });
  };
  useKeys({
    j: () => state.moveRow(1),
    k: () => state.moveRow(-1),
    ArrowDown: () => state.moveRow(1),
    ArrowUp: () => state.moveRow(-1),
    PageDown: () => state.moveRow(20),
    PageUp: () => state.moveRow(-20),
    Home: () => state.moveRow(-table.count),
    End: () => state.moveRow(table.count),
    f: () => state.moveInTime(1),
    b: () => state.moveInTime(-1),
    h: fold,
    ArrowLeft: fold,
    l: unfold,
    ArrowRight: unfold,
    '[': state.collapseAll,
    ']': state.expandAll,
    e: () => state.stepError(1),
    E: () => state.stepError(-1),
    n: () => state.stepMatch(1),
    N: () => state.stepMatch(-1),
    '/': onSearch,
    '+': () => zoom(ZOOM_STEP),
    '=': () => zoom(ZOOM_STEP),
    '-': () => zoom(1 / ZOOM_STEP),
    '0': () => state.setViewport(fullViewport(table.durationNs)),
    z: zoomToSpan,
    '1': () => state.change({ tab: undefined }),
    '2': () => state.change({ tab: 'logs' }),
    u: onBack,
    Escape: close,
    '?': onHelp,
  });
}
