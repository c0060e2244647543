// A loaded trace: header, minimap, waterfall and panel, and the state they share.
import { ActionIcon, Modal, Tooltip } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { useStored } from '../lib/storage.ts';
import { lastSearch } from '../search/last_search.ts';
import { IconCollapse, IconExpand, IconPath, IconRows } from '../shell/icons.tsx';
import { KeyHelp, TRACE_KEYS } from '../shell/key_help.tsx';
import { FindBar } from './find_bar.tsx';
import { TraceHeader } from './header.tsx';
import { Minimap } from './minimap.tsx';
import { Panel } from './panel.tsx';
import { Splitter } from './splitter.tsx';
import type { TraceTable } from './table.ts';
import classes from './trace.module.css';
import { useTraceKeys } from './use_keys.ts';
import { type TraceState, useTraceState } from './use_state.ts';
import { fullViewport, isFull } from './viewport.ts';
import { Waterfall, type WaterfallHandle } from './waterfall.tsx';

const ROW_HEIGHT = { comfortable: 28, compact: 20 } as const;
const PANEL_WIDTH_MIN = 280;

export function TraceScreen({ table }: { table: TraceTable }) {
  const waterfall = useRef<WaterfallHandle>(null);
  const findRef = useRef<HTMLInputElement>(null);
  const [help, setHelp] = useState(false);
  const [pointedNs, setPointedNs] = useState<number>();
  const [density, setDensity] = useStored<'comfortable' | 'compact'>('density', 'comfortable');
  const [treeWidth, setTreeWidth] = useStored<number>('tree-width', window.innerWidth < 1200 ? 320 : 400);
  const [panelWidth, setPanelWidth] = useStored<number>('panel-width', window.innerWidth < 1200 ? 320 : 420);
  const state = useTraceState(table, waterfall);
  const navigate = useNavigate();
  useTraceKeys(state, {
    onSearch: () => findRef.current?.focus(),
    onHelp: () => setHelp(true),
    onBack: () => navigate({ to: '/traces', search: lastSearch() ?? {} }),
  });

  return (
    <div className={classes.screen}>
      <TraceHeader
        table={table}
        figures={state.figures}
        onHelp={() => setHelp(true)}
        onNextError={() => state.stepError(1)}
      />
      <Minimap table={table} viewport={state.viewport} onViewport={state.setViewport} />
      <div className={classes.split}>
        <Waterfall
          handle={waterfall}
          table={table}
          visible={state.visible}
          collapsed={state.collapsed}
          depthMax={state.figures.depth}
          viewport={state.viewport}
          selected={state.selected}
          matches={state.matchSet}
          critical={state.critical}
          logs={state.logs.all}
          logsByRow={state.logs.byRow}
          rowHeight={ROW_HEIGHT[density] ?? ROW_HEIGHT.comfortable}
          treeWidth={treeWidth}
          pointedNs={pointedNs}
          onTreeWidth={setTreeWidth}
          onSelect={state.select}
          onToggle={state.toggle}
          onViewport={state.setViewport}
          toolbar={
            <Toolbar
              state={state}
              compact={density === 'compact'}
              onCompact={(on) => setDensity(on ? 'compact' : 'comfortable')}
            />
          }
          find={
            <FindBar
              text={state.view.q ?? ''}
              matches={state.matches?.length}
              place={state.matchPlace}
              inputRef={findRef}
              onText={(q) => state.change({ q: q || undefined })}
              onStep={state.stepMatch}
            />
          }
          zoomReset={
            isFull(state.viewport, table.durationNs)
              ? undefined
              : () => state.setViewport(fullViewport(table.durationNs))
          }
        />
        <Splitter
          label="Width of the details"
          value={panelWidth}
          min={PANEL_WIDTH_MIN}
          max={() => window.innerWidth * 0.6}
          onChange={setPanelWidth}
          reversed
          style={{ right: panelWidth - 4 }}
        />
        <Panel
          table={table}
          figures={state.figures}
          logs={state.logs}
          selected={state.selected}
          tab={state.view.tab ?? 'span'}
          width={panelWidth}
          onTab={(tab) => state.change({ tab: tab === 'span' ? undefined : tab })}
          onSelect={state.select}
          onFind={(q) => state.change({ q })}
          onPoint={setPointedNs}
        />
      </div>
      <Modal opened={help} onClose={() => setHelp(false)} title="Keyboard" size="sm">
        <KeyHelp keys={TRACE_KEYS} />
      </Modal>
    </div>
  );
}

interface ToolbarProps {
  state: TraceState;
  compact: boolean;
  onCompact: (on: boolean) => void;
}

function Toolbar({ state, compact, onCompact }: ToolbarProps) {
  return (
    <div className={classes.toolbar}>
      <Tooltip label="Expand all (])">
        <ActionIcon variant="subtle" color="gray" size="sm" onClick={state.expandAll} aria-label="Expand all">
          <IconExpand size={14} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Collapse all ([)">
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          onClick={state.collapseAll}
          aria-label="Collapse all"
        >
          <IconCollapse size={14} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={state.showsCritical ? 'Hide the critical path' : 'Show the critical path'}>
        <ActionIcon
          variant={state.showsCritical ? 'light' : 'subtle'}
          color="gray"
          size="sm"
          onClick={() => state.setShowsCritical(!state.showsCritical)}
          aria-label="Critical path"
          aria-pressed={state.showsCritical}
        >
          <IconPath size={14} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={compact ? 'Taller rows' : 'Compact rows'}>
        <ActionIcon
          variant={compact ? 'light' : 'subtle'}
          color="gray"
          size="sm"
          onClick={() => onCompact(!compact)}
          aria-label="Compact rows"
          aria-pressed={compact}
        >
          <IconRows size={14} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
