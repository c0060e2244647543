// The right side: the selected span (or the overview) and the logs of the trace.
import { ActionIcon, Tooltip } from '@mantine/core';
import { formatCount } from '../lib/format.ts';
import { IconClose } from '../shell/icons.tsx';
import { LogList } from './log_list.tsx';
import { Overview } from './overview.tsx';
import classes from './panel.module.css';
import { SpanPanel } from './span_panel.tsx';
import type { TraceFigures } from './summary.ts';
import type { TraceTable } from './table.ts';
import type { TraceLogs } from './use_logs.ts';
import type { PanelTab } from './view_state.ts';

interface PanelProps {
  table: TraceTable;
  figures: TraceFigures;
  logs: TraceLogs;
  selected: number;
  tab: PanelTab;
  width: number;
  onTab: (tab: PanelTab) => void;
  onSelect: (row: number) => void;
  onFind: (text: string) => void;
  onPoint: (ns: number | undefined) => void;
}

export function Panel(props: PanelProps) {
  const { table, logs, selected, tab, onSelect, onPoint } = props;
  return (
    <aside className={classes.panel} style={{ width: props.width }} aria-label="Details">
      <div role="tablist" aria-label="Details" className={classes.tabs}>
        <Tab active={tab === 'span'} onClick={() => props.onTab('span')} id="span">
          {selected >= 0 ? 'Span' : 'Overview'}
        </Tab>
        <Tab active={tab === 'logs'} onClick={() => props.onTab('logs')} id="logs">
          Logs
          <span className={classes.count}>
            {logs.loading ? '…' : formatCount(logs.all.length)}
            {logs.hasMore && '+'}
          </span>
        </Tab>
        {selected >= 0 && tab === 'span' && (
          <Tooltip label="Close the span (Esc)">
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              ml="auto"
              onClick={() => onSelect(-1)}
              aria-label="Close the span"
            >
              <IconClose size={14} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <div
        role="tabpanel"
        id={`panel-${tab}`}
        aria-labelledby={`tab-${tab}`}
        className={classes.body}
        data-tab={tab}
      >
        {tab === 'logs' ? (
          <LogList logs={logs} selected={selected} onSelect={onSelect} onPoint={onPoint} />
        ) : selected >= 0 ? (
          <SpanPanel
            key={selected}
            table={table}
            row={selected}
            logs={logs.byRow.get(selected) ?? []}
            onSelect={onSelect}
            onPoint={onPoint}
          />
        ) : (
          <Overview figures={props.figures} onFind={props.onFind} />
        )}
      </div>
    </aside>
  );
}

interface TabProps {
  id: PanelTab;
  active: boolean;
  onClick: () => void;
  children: React.ReactNode;
}

function Tab({ id, active, onClick, children }: TabProps) {
  return (
    <button
      type="button"
      role="tab"
      id={`tab-${id}`}
      aria-selected={active}
      aria-controls={`panel-${id}`}
      className={classes.tab}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
