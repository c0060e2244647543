import { ActionIcon, TextInput, Tooltip } from '@mantine/core';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { formatCount } from '../lib/format.ts';
import { IconClose, IconDown, IconSearch, IconUp } from '../shell/icons.tsx';
import classes from './waterfall.module.css';

const TYPING_PAUSE_MS = 180;

interface FindBarProps {
  text: string;
  /** Undefined while the search runs or there is none. */
  matches: number | undefined;
  /** 1-based place of the selected span among the matches, 0 if it is none of them. */
  place: number;
  inputRef: RefObject<HTMLInputElement | null>;
  onText: (text: string) => void;
  onStep: (step: 1 | -1) => void;
}

export function FindBar({ text, matches, place, inputRef, onText, onStep }: FindBarProps) {
  const [typed, setTyped] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const commit = (value: string, delay: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onText(value), delay);
  };
  const clear = () => {
    setTyped('');
    commit('', 0);
  };
  return (
    <div className={classes.find}>
      <TextInput
        ref={inputRef}
        type="search"
        aria-label="Search in this trace"
        placeholder="Search: name, service, attribute=value"
        leftSection={<IconSearch size={14} />}
        className={classes.findInput}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          commit(event.currentTarget.value, TYPING_PAUSE_MS);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            if (typed !== text) commit(typed, 0);
            else onStep(event.shiftKey ? -1 : 1);
          }
          if (event.key === 'Escape') {
            if (typed) clear();
            event.currentTarget.blur();
          }
        }}
      />
      {text && (
        <>
          <span className={classes.findCount} role="status">
            {matches === undefined
              ? '…'
              : matches === 0
                ? 'no match'
                : `${place || '–'} / ${formatCount(matches)}`}
          </span>
          <Step
            label="Previous match (N)"
            disabled={!matches}
            onClick={() => onStep(-1)}
            icon={<IconUp size={14} />}
          />
          <Step
            label="Next match (n)"
            disabled={!matches}
            onClick={() => onStep(1)}
            icon={<IconDown size={14} />}
          />
          <Step label="Clear" disabled={false} onClick={clear} icon={<IconClose size={14} />} />
        </>
      )}
    </div>
  );
}

interface StepProps {
  label: string;
  disabled: boolean;
  onClick: () => void;
  icon: React.ReactNode;
}

function Step({ label, disabled, onClick, icon }: StepProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="sm"
        disabled={disabled}
        onClick={onClick}
        aria-label={label}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}
