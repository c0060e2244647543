import { Button, Popover, TextInput } from '@mantine/core';
import { useState } from 'react';
import {
  describeRange,
  PRESETS,
  RANGE_DEFAULT,
  rangeMs,
  resolveRange,
  type TimeRange,
} from '../lib/time_range.ts';
import { IconClock } from '../shell/icons.tsx';
import classes from './search.module.css';

interface TimePickerProps {
  time: TimeRange;
  onChange: (time: TimeRange) => void;
}

export function TimePicker({ time, onChange }: TimePickerProps) {
  const [open, setOpen] = useState(false);
  const choose = (next: TimeRange) => {
    setOpen(false);
    onChange(next);
  };
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-end" shadow="md" trapFocus>
      <Popover.Target>
        <Button
          variant="default"
          className={classes.timeButton}
          leftSection={<IconClock size={14} />}
          aria-label={`Time range: ${describeRange(time)}`}
          onClick={() => setOpen(!open)}
        >
          {describeRange(time)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={classes.timeDropdown}>
        <div className={classes.presets}>
          {PRESETS.map(([value, label]) => (
            <button
              key={value}
              type="button"
              className={classes.preset}
              data-active={(!time.start && (time.range ?? RANGE_DEFAULT) === value) || undefined}
              onClick={() => choose({ range: value === RANGE_DEFAULT ? undefined : value })}
            >
              {label}
            </button>
          ))}
        </div>
        {open && <CustomRange time={time} onChoose={choose} />}
      </Popover.Dropdown>
    </Popover>
  );
}

/** Relative ("90m") or from–to in local time. */
function CustomRange({ time, onChoose }: { time: TimeRange; onChoose: (time: TimeRange) => void }) {
  const initial = resolveRange(time, Date.now()) ?? { startMs: Date.now() - 3_600_000, endMs: Date.now() };
  const [from, setFrom] = useState(toLocalText(initial.startMs));
  const [to, setTo] = useState(toLocalText(initial.endMs));
  const [relative, setRelative] = useState(time.start ? '' : (time.range ?? ''));
  const [startMs, endMs] = [Date.parse(from), Date.parse(to)];
  const ordered = startMs < endMs;
  const absolute = () =>
    ordered && onChoose({ start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() });
  const validRelative = rangeMs(relative) !== undefined;
  return (
    <div className={classes.custom}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (validRelative) onChoose({ range: relative });
        }}
      >
        <TextInput
          label="Last"
          placeholder="90m, 6h, 2d"
          value={relative}
          error={
            relative && relative !== 'all' && !validRelative ? 'A number and s, m, h, d or w' : undefined
          }
          onChange={(event) => setRelative(event.currentTarget.value.trim())}
        />
        <Button type="submit" variant="default" fullWidth mt={6} disabled={!validRelative}>
          Apply
        </Button>
      </form>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          absolute();
        }}
      >
        <TextInput
          label="From"
          type="datetime-local"
          step={1}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          label="To"
          type="datetime-local"
          step={1}
          mt={4}
          value={to}
          error={ordered ? undefined : 'Must be after “From”'}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" fullWidth mt={6} disabled={!ordered}>
          Apply
        </Button>
      </form>
    </div>
  );
}

function toLocalText(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}
