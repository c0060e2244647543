import { Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { statusQuery } from '../api/queries.ts';
import classes from './shell.module.css';
import { describeStatus } from './status_text.ts';

/** Whether the server answers and takes data in, in one dot and a word. */
export function StatusDot() {
  const { data, error } = useQuery(statusQuery());
  const { state, label, detail } = describeStatus(data, error);
  return (
    <Tooltip label={detail} multiline maw={320}>
      <span className={classes.status} role="status" aria-label={`Server: ${label}. ${detail}`}>
        <span className={classes.dot} data-state={state} aria-hidden="true" />
        {label}
      </span>
    </Tooltip>
  );
}
