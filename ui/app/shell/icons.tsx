// A small set of line icons, drawn here so that no icon library is shipped.
import type { ReactNode } from 'react';

interface IconProps {
  size?: number;
  title?: string;
}

function line(children: ReactNode) {
  return function Icon({ size = 16, title }: IconProps) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        role={title ? 'img' : undefined}
        aria-label={title}
        aria-hidden={title ? undefined : true}
      >
        {children}
      </svg>
    );
  };
}

export const IconSun = line(
  <>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7" />
  </>,
);
export const IconMoon = line(<path d="M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z" />);
export const IconPath = line(<path d="M2 3.5h5v4.5h4v4.5h3" />);
export const IconSearch = line(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3.5 3.5" />
  </>,
);
export const IconRefresh = line(<path d="M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 1.8v2.9h-2.9" />);
export const IconClock = line(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 4.5V8l2.3 1.6" />
  </>,
);
export const IconCopy = line(
  <>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
  </>,
);
export const IconCheck = line(<path d="m3 8.5 3.2 3.2L13 4.8" />);
export const IconClose = line(<path d="m4 4 8 8M12 4l-8 8" />);
export const IconDownload = line(<path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.5h11" />);
export const IconUp = line(<path d="m4 10 4-4 4 4" />);
export const IconDown = line(<path d="m4 6 4 4 4-4" />);
export const IconRight = line(<path d="m6 4 4 4-4 4" />);
export const IconLink = line(
  <path d="M6.6 9.4a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7l-.7.7M9.4 6.6a2.6 2.6 0 0 0-3.7 0L3.4 8.9a2.6 2.6 0 0 0 3.7 3.7l.7-.7" />,
);
export const IconExpand = line(<path d="m4.5 9.5 3.5 3.5 3.5-3.5M4.5 6.5 8 3l3.5 3.5" />);
export const IconCollapse = line(<path d="m4.5 13 3.5-3.5 3.5 3.5M4.5 3 8 6.5 11.5 3" />);
export const IconRows = line(<path d="M2.5 4h11M2.5 8h11M2.5 12h11" />);
export const IconHelp = line(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M6.3 6.2a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.2M8 11.3v.1" />
  </>,
);

/** An error of the span itself: solid. */
export function IconError({ size = 14, title = 'Error' }: IconProps) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role="img"
      aria-label={title}
      style={{ flex: 'none' }}
    >
      <circle cx="8" cy="8" r="7" fill="var(--error)" />
      <path d="M8 4.2v4.6M8 11.4v.2" stroke="var(--bg)" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}

/** An error further down: hollow. */
export function IconErrorBelow({ size = 14, title = 'Error in a descendant' }: IconProps) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role="img"
      aria-label={title}
      style={{ flex: 'none' }}
    >
      <circle cx="8" cy="8" r="6.2" fill="none" stroke="var(--error)" strokeWidth="1.5" />
      <path d="M8 4.8v3.8M8 11v.2" stroke="var(--error)" strokeWidth="1.6" strokeLinecap="round" />
    </svg>
  );
}

export function Logo() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#3b5bdb" />
      <path d="M6 10h14M10 16h16M14 22h8" stroke="#fff" strokeWidth="3.2" strokeLinecap="round" fill="none" />
    </svg>
  );
}
