import classes from './key_help.module.css';

export type KeyList = [keys: string, what: string][];

export const SEARCH_KEYS: KeyList = [
  ['j k', 'Next, previous trace'],
  ['Enter', 'Open the trace'],
  ['/', 'Attribute filters'],
  ['e', 'Only traces with errors, on and off'],
  ['r', 'Search again'],
  ['?', 'This list'],
];

export const TRACE_KEYS: KeyList = [
  ['j k', 'Next, previous row'],
  ['f b', 'Next, previous span in order of time'],
  ['h l', 'Fold, unfold (or go to parent, first child)'],
  ['[ ]', 'Collapse, expand all'],
  ['e E', 'Next, previous error'],
  ['/', 'Search in the trace'],
  ['n N', 'Next, previous match'],
  ['+ - 0', 'Zoom in, out, all'],
  ['z', 'Zoom to the selected span'],
  ['1 2', 'Panel: span, logs'],
  ['u', 'Back to the search'],
  ['Esc', 'Close what is open'],
  ['?', 'This list'],
];

export function KeyHelp({ keys }: { keys: KeyList }) {
  return (
    <dl className={classes.keys}>
      {keys.map(([names, what]) => (
        <div key={names}>
          <dt>
            {names.split(' ').map((name) => (
              <kbd key={name}>{name}</kbd>
            ))}
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
