import { CopyButton, Tooltip } from '@mantine/core';
import classes from './copy_text.module.css';
import { IconCheck, IconCopy } from './icons.tsx';

/** A text in fixed width that copies itself when clicked. */
export function CopyText({ text, shown }: { text: string; shown?: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : 'Copy'}>
          <button type="button" className={classes.copy} onClick={copy} aria-label={`Copy ${text}`}>
            <span className="mono">{shown ?? text}</span>
            {copied ? <IconCheck size={13} /> : <IconCopy size={13} />}
          </button>
        </Tooltip>
      )}
    </CopyButton>
  );
}
