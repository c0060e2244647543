import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';
import classes from './shell.module.css';

interface NoticeProps {
  title: string;
  children?: ReactNode;
  kind?: 'plain' | 'error';
  actions?: ReactNode;
}

/** A calm message in the middle of an otherwise empty area: what is the case and what to do. */
export function Notice({ title, children, kind = 'plain', actions }: NoticeProps) {
  return (
    <div className={classes.notice} role={kind === 'error' ? 'alert' : 'status'} data-kind={kind}>
      <div className={classes.noticeTitle}>{title}</div>
      {children && <div className={classes.noticeText}>{children}</div>}
      {actions && <div className={classes.noticeActions}>{actions}</div>}
    </div>
  );
}

/** An error in place, in the words of the server. */
export function ErrorNotice({ error, actions }: { error: unknown; actions?: ReactNode }) {
  const problem = error instanceof ApiError ? error.problem : undefined;
  const title = problem?.title ?? 'Something went wrong';
  const message = error instanceof Error ? error.message : String(error);
  const facts = [
    problem?.field !== undefined && `field: ${problem.field}`,
    problem?.value !== undefined && `value: ${JSON.stringify(problem.value)}`,
    problem?.limit !== undefined && `limit: ${JSON.stringify(problem.limit)}`,
  ].filter(Boolean);
  return (
    <Notice title={title} kind="error" actions={actions}>
      {message !== title && <p>{message}</p>}
      {facts.length > 0 && <p className="mono">{facts.join(' · ')}</p>}
    </Notice>
  );
}
