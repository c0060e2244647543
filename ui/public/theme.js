// Sets the colour scheme before the first paint; the app takes over from there (app/main.tsx).
(() => {
  let scheme = 'auto';
  try {
    scheme = localStorage.getItem('mantine-color-scheme-value') ?? 'auto';
  } catch {
    // Storage may be forbidden; the system's scheme will do.
  }
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.mantineColorScheme =
    scheme === 'auto' ? (dark ? 'dark' : 'light') : scheme;
})();
