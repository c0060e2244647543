import { useState } from 'react';

/** State of this browser alone (density, widths): kept in local storage where that is allowed. */
export function useStored<T extends string | number>(key: string, fallback: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => read(key, fallback));
  const store = (next: T) => {
    setValue(next);
    try {
      localStorage.setItem(`throughline.${key}`, String(next));
    } catch {
      // Without storage the setting lasts as long as the page.
    }
  };
  return [value, store];
}

function read<T extends string | number>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`throughline.${key}`);
    if (text === null) return fallback;
    if (typeof fallback !== 'number') return text as T;
    const number = Number(text);
    return Number.isFinite(number) ? (number as T) : fallback;
  } catch {
    return fallback;
  }
}
