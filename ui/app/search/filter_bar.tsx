// The filters of the search page; every change goes to the URL, and the URL is what is searched.
import { ActionIcon, SegmentedControl, Select, TextInput, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type RefObject, useEffect, useState } from 'react';
import { operationsQuery, servicesQuery } from '../api/queries.ts';
import { serviceColor } from '../lib/colors.ts';
import { parseDuration } from '../lib/format.ts';
import { IconRefresh } from '../shell/icons.tsx';
import { FilterInput } from './filter_input.tsx';
import { LIMIT_DEFAULT, LIMITS, type TraceQuery } from './query.ts';
import classes from './search.module.css';
import { TimePicker } from './time_picker.tsx';

interface FilterBarProps {
  query: TraceQuery;
  onChange: (change: Partial<TraceQuery>) => void;
  onRefresh: () => void;
  refreshing: boolean;
  filterRef: RefObject<HTMLInputElement | null>;
}

export function FilterBar({ query, onChange, onRefresh, refreshing, filterRef }: FilterBarProps) {
  return (
    <search className={classes.bar}>
      <NameSelects query={query} onChange={onChange} />
      <div className={classes.filters}>
        <FilterInput
          filters={query.filter}
          onChange={(filter) => onChange({ filter })}
          inputRef={filterRef}
        />
      </div>
      <div className={classes.durations}>
        <DurationInput
          label="Minimum duration"
          placeholder="min"
          value={query.min}
          onCommit={(min) => onChange({ min })}
        />
        <span aria-hidden="true">–</span>
        <DurationInput
          label="Maximum duration"
          placeholder="max"
          value={query.max}
          onCommit={(max) => onChange({ max })}
        />
      </div>
      <SegmentedControl
        size="xs"
        aria-label="Status"
        value={query.status ?? 'any'}
        data={[
          { value: 'any', label: 'Any status' },
          { value: 'error', label: 'Errors' },
        ]}
        onChange={(value) => onChange({ status: value === 'error' ? 'error' : undefined })}
      />
      <div className={classes.barEnd}>
        <Select
          aria-label="Traces per page"
          w={92}
          allowDeselect={false}
          value={String(query.limit ?? LIMIT_DEFAULT)}
          data={LIMITS.map((limit) => ({ value: String(limit), label: `${limit} rows` }))}
          onChange={(value) =>
            onChange({ limit: Number(value) === LIMIT_DEFAULT ? undefined : Number(value) })
          }
        />
        <TimePicker
          time={query}
          onChange={(time) => onChange({ range: undefined, start: undefined, end: undefined, ...time })}
        />
        <Tooltip label="Search again (r)">
          <ActionIcon
            variant="default"
            size={30}
            loading={refreshing}
            onClick={onRefresh}
            aria-label="Search again"
          >
            <IconRefresh />
          </ActionIcon>
        </Tooltip>
      </div>
    </search>
  );
}

function NameSelects({ query, onChange }: Pick<FilterBarProps, 'query' | 'onChange'>) {
  const services = useQuery(servicesQuery());
  const operations = useQuery(operationsQuery(query.service));
  return (
    <>
      <Select
        aria-label="Service"
        placeholder="Any service"
        className={classes.service}
        searchable
        clearable
        limit={200}
        nothingFoundMessage={services.isError ? 'The services could not be loaded' : 'No such service'}
        leftSection={
          query.service ? (
            <i className={classes.dot} style={{ background: serviceColor(query.service) }} />
          ) : undefined
        }
        value={query.service ?? null}
        data={withValue(services.data, query.service)}
        onChange={(value) => onChange({ service: value ?? undefined, operation: undefined })}
        comboboxProps={{ width: 280, position: 'bottom-start' }}
      />
      <Select
        aria-label="Operation"
        placeholder="Any operation"
        title={query.service ? undefined : 'Choose a service first'}
        className={classes.operation}
        searchable
        clearable
        limit={200}
        disabled={!query.service && !query.operation}
        nothingFoundMessage={operations.isError ? 'The operations could not be loaded' : 'No such operation'}
        value={query.operation ?? null}
        data={withValue(operations.data, query.operation)}
        onChange={(value) => onChange({ operation: value ?? undefined })}
        comboboxProps={{ width: 380, position: 'bottom-start' }}
      />
    </>
  );
}

/** A value from the URL stays shown, also while the list loads. */
function withValue(names: string[] | undefined, value: string | undefined): string[] {
  const list = names ?? [];
  return value && !list.includes(value) ? [value, ...list] : list;
}

interface DurationInputProps {
  label: string;
  placeholder: string;
  value: string | undefined;
  onCommit: (value: string | undefined) => void;
}

function DurationInput({ label, placeholder, value, onCommit }: DurationInputProps) {
  const [text, setText] = useState(value ?? '');
  useEffect(() => setText(value ?? ''), [value]);
  const valid = text === '' || parseDuration(text) !== undefined;
  const commit = () => valid && text !== (value ?? '') && onCommit(text || undefined);
  return (
    <Tooltip label="Not a duration: 250ms, 1.5s, 2m" opened={!valid} color="red">
      <TextInput
        aria-label={label}
        placeholder={placeholder}
        w={68}
        value={text}
        error={!valid}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === 'Enter' && commit()}
      />
    </Tooltip>
  );
}
