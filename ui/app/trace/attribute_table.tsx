import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { IconCheck, IconCopy, IconSearch } from '../shell/icons.tsx';
import type { Attribute } from './detail.ts';
import classes from './panel.module.css';
import type { searchNear } from './search_near.ts';

/** Longer values are cut until one asks for all. */
const VALUE_SHOWN_MAX = 600;

interface AttributeTableProps {
  attributes: Attribute[];
  /** Only those with this text in key or value. */
  filter: string;
  /** Where to look for traces with the same value; absent where the search cannot ask for it. */
  searchFor?: (attribute: Attribute) => ReturnType<typeof searchNear>;
}

export function AttributeTable({ attributes, filter, searchFor }: AttributeTableProps) {
  const wanted = filter.toLowerCase();
  const shown = attributes.filter(({ key, value }) => `${key}=${value}`.toLowerCase().includes(wanted));
  if (shown.length === 0)
    return <p className={classes.none}>{attributes.length ? 'None matches' : 'None'}</p>;
  return (
    <table className={classes.attributes}>
      <tbody>
        {shown.map((attribute, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: keys of attributes may repeat
          <tr key={`${attribute.key} ${index}`}>
            <th scope="row">{breakable(attribute.key)}</th>
            <td>
              <Value attribute={attribute} />
              <Actions attribute={attribute} searchFor={searchFor} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const BREAK = '\u200b';

/** Long keys break after dots and underscores. */
function breakable(key: string): string {
  return key.replace(/[._/](?=.)/g, `$&${BREAK}`);
}

function Value({ attribute: { value, type } }: { attribute: Attribute }) {
  const [whole, setWhole] = useState(false);
  if (value === '') return <span className="dim">{type === 'string' ? '(empty)' : '(no value)'}</span>;
  const cut = value.length > VALUE_SHOWN_MAX && !whole;
  return (
    <span className={classes.value} data-type={type}>
      {cut ? value.slice(0, VALUE_SHOWN_MAX) : pretty(value, type)}
      {cut && (
        <button type="button" className={classes.more} onClick={() => setWhole(true)}>
          … {value.length - VALUE_SHOWN_MAX} more characters
        </button>
      )}
      {type === 'bytes' && <span className={classes.type}>base64</span>}
    </span>
  );
}

function pretty(value: string, type: Attribute['type']): string {
  if (type !== 'array' && type !== 'map') return value;
  return value.length > 60 ? JSON.stringify(JSON.parse(value), null, 2) : value;
}

function Actions({
  attribute,
  searchFor,
}: Pick<AttributeTableProps, 'searchFor'> & { attribute: Attribute }) {
  return (
    <span className={classes.actions}>
      <CopyButton value={attribute.value}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? 'Copied' : 'Copy the value'}>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="xs"
              onClick={copy}
              aria-label={`Copy ${attribute.key}`}
            >
              {copied ? <IconCheck size={13} /> : <IconCopy size={13} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
      {searchFor && attribute.value !== '' && (
        <Tooltip label="Find traces with this value">
          <ActionIcon
            variant="subtle"
            color="gray"
            size="xs"
            aria-label={`Find traces with this ${attribute.key}`}
            renderRoot={(props) => <Link to="/traces" search={searchFor(attribute)} {...props} />}
          >
            <IconSearch size={13} />
          </ActionIcon>
        </Tooltip>
      )}
    </span>
  );
}
