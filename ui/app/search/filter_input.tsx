// Attribute filters as chips in one input: type a key, an operator, a value; completion at each step.
import { Combobox, Pill, PillsInput, useCombobox } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, type RefObject, useState } from 'react';
import { attributeNamesQuery, attributeValuesQuery } from '../api/queries.ts';
import { formatFilter, isComplete, OPERATOR_WORDS, type OPERATORS, parseFilter } from './filters.ts';
import classes from './search.module.css';

interface FilterInputProps {
  filters: string[];
  onChange: (filters: string[]) => void;
  inputRef: RefObject<HTMLInputElement | null>;
}

interface Suggestion {
  /** The input's text after choosing it. */
  text: string;
  label: string;
  note?: string;
  /** Choosing it makes a chip. */
  done: boolean;
}

export function FilterInput({ filters, onChange, inputRef }: FilterInputProps) {
  const [text, setText] = useState('');
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() });
  const suggestions = useSuggestions(text, combobox.dropdownOpened);

  const add = (value: string) => {
    const filter = parseFilter(value);
    if (!isComplete(filter)) return;
    const chip = formatFilter(filter);
    if (!filters.includes(chip)) onChange([...filters, chip]);
    setText('');
    combobox.closeDropdown();
  };
  const choose = (value: string) => {
    const suggestion = suggestions.find((one) => one.text === value);
    if (suggestion?.done) add(suggestion.text);
    else setText(value);
    inputRef.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && combobox.getSelectedOptionIndex() === -1) {
      event.preventDefault();
      add(text);
    } else if (event.key === 'Backspace' && text === '' && filters.length > 0) {
      event.preventDefault();
      setText(filters[filters.length - 1]);
      onChange(filters.slice(0, -1));
    } else if (event.key === 'Escape') {
      combobox.closeDropdown();
      inputRef.current?.blur();
    }
  };
  const edit = (chip: string) => {
    onChange(filters.filter((one) => one !== chip));
    setText(chip);
    inputRef.current?.focus();
  };

  return (
    <Combobox store={combobox} onOptionSubmit={choose} withinPortal>
      <Combobox.DropdownTarget>
        <PillsInput size="xs" className={classes.filterInput} onClick={() => inputRef.current?.focus()}>
          <Pill.Group gap={4}>
            {filters.map((chip) => (
              <FilterChip
                key={chip}
                chip={chip}
                onEdit={() => edit(chip)}
                onRemove={() => onChange(filters.filter((one) => one !== chip))}
              />
            ))}
            <Combobox.EventsTarget>
              <PillsInput.Field
                ref={inputRef}
                value={text}
                aria-label="Attribute filters"
                placeholder={
                  filters.length ? 'Add a filter' : 'Attributes: http.route=/pay, http.status_code>=500 …'
                }
                onChange={(event) => {
                  setText(event.currentTarget.value);
                  combobox.openDropdown();
                  combobox.resetSelectedOption();
                }}
                onFocus={() => combobox.openDropdown()}
                onBlur={() => combobox.closeDropdown()}
                onKeyDown={onKeyDown}
              />
            </Combobox.EventsTarget>
          </Pill.Group>
        </PillsInput>
      </Combobox.DropdownTarget>
      <Combobox.Dropdown hidden={suggestions.length === 0}>
        <Combobox.Options mah={320} className={classes.options}>
          {suggestions.map((one) => (
            <Combobox.Option key={one.text} value={one.text} className={classes.option}>
              <span className="mono">{one.label}</span>
              {one.note && <span className={classes.optionNote}>{one.note}</span>}
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function FilterChip({ chip, onEdit, onRemove }: { chip: string; onEdit: () => void; onRemove: () => void }) {
  const filter = parseFilter(chip);
  return (
    <Pill
      size="sm"
      className={classes.chip}
      withRemoveButton
      onRemove={onRemove}
      removeButtonProps={{ 'aria-label': `Remove ${chip}`, tabIndex: 0 }}
    >
      <button type="button" className={classes.chipText} onClick={onEdit} title={`${chip} (click to edit)`}>
        {filter.key}
        <span className={classes.chipOperator}>
          {filter.operator ?? (filter.key.startsWith('!') ? '' : ' exists')}
        </span>
        {filter.value}
      </button>
    </Pill>
  );
}

function useSuggestions(text: string, open: boolean): Suggestion[] {
  const filter = parseFilter(text);
  const names = useQuery(attributeNamesQuery(filter.key, open && !filter.operator));
  const wantsValues = open && !!filter.operator && (filter.operator === '=' || filter.operator === '!=');
  const values = useQuery(attributeValuesQuery(filter.key, filter.value, wantsValues));
  if (!open) return [];
  if (filter.operator) {
    return (wantsValues ? (values.data ?? []) : []).map((value) => ({
      text: `${filter.key}${filter.operator}${value}`,
      label: value,
      done: true,
    }));
  }
  const known = names.data ?? [];
  if (known.includes(filter.key)) return operatorsFor(filter.key);
  return known
    .filter((name) => name.toLowerCase().includes(filter.key.toLowerCase()))
    .map((name) => ({ text: name, label: name, done: false }));
}

function operatorsFor(key: string): Suggestion[] {
  const order: (typeof OPERATORS)[number][] = ['=', '!=', '=~', '!~', '>', '>=', '<', '<='];
  return [
    ...order.map((operator) => ({
      text: `${key}${operator}`,
      label: `${key} ${operator}`,
      note: OPERATOR_WORDS[operator],
      done: false,
    })),
    { text: key, label: key, note: 'exists', done: true },
    { text: `!${key}`, label: `!${key}`, note: 'is missing', done: true },
  ];
}
