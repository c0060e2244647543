import type { CSSProperties, KeyboardEvent, PointerEvent } from 'react';
import classes from './waterfall.module.css';

interface SplitterProps {
  label: string;
  value: number;
  min: number;
  max: () => number;
  onChange: (value: number) => void;
  /** The value grows to the left (a panel on the right). */
  reversed?: boolean;
  style?: CSSProperties;
}

const KEY_STEP_PX = 16;

/** A line between two areas that can be dragged, or moved by the arrow keys. */
export function Splitter({ label, value, min, max, onChange, reversed, style }: SplitterProps) {
  const set = (next: number) => onChange(Math.round(Math.min(Math.max(next, min), Math.max(min, max()))));
  const sign = reversed ? -1 : 1;
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    event.preventDefault();
    const element = event.currentTarget;
    element.setPointerCapture(event.pointerId);
    const from = event.clientX;
    const move = (next: globalThis.PointerEvent) => set(value + sign * (next.clientX - from));
    const stop = () => {
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', stop);
      element.removeEventListener('pointercancel', stop);
    };
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', stop);
    element.addEventListener('pointercancel', stop);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    set(value + by * sign * KEY_STEP_PX);
  };
  return (
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={value}
      aria-valuemin={min}
      tabIndex={0}
      className={classes.splitter}
      style={style}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
    />
  );
}
