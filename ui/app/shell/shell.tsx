// The frame of every page: a slim bar, and the page below it.
import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { Link, Outlet } from '@tanstack/react-router';
import { IconMoon, IconSun, Logo } from './icons.tsx';
import classes from './shell.module.css';
import { StatusDot } from './status_dot.tsx';

/** Logs, metrics and the others join here when their pages exist. */
const PAGES = [{ to: '/traces', label: 'Traces' }] as const;

export function Shell() {
  return (
    <div className={classes.shell}>
      <a href="#content" className={classes.skip}>
        Skip to content
      </a>
      <header className={classes.bar}>
        <Link to="/traces" className={classes.brand} aria-label="Throughline, home">
          <Logo />
          <span>Throughline</span>
        </Link>
        <nav className={classes.nav} aria-label="Main">
          {PAGES.map((page) => (
            <Link
              key={page.to}
              to={page.to}
              className={classes.navLink}
              activeProps={{ 'data-active': true }}
            >
              {page.label}
            </Link>
          ))}
        </nav>
        <div className={classes.end}>
          <StatusDot />
          <ThemeToggle />
        </div>
      </header>
      <main id="content" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

function ThemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const next = scheme === 'dark' ? 'light' : 'dark';
  const systemDark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  // Going back to what the system has means following the system again.
  const choose = () => setColorScheme((next === 'dark') === systemDark ? 'auto' : next);
  return (
    <Tooltip label={`Switch to ${next}`}>
      <ActionIcon variant="subtle" color="gray" size="sm" onClick={choose} aria-label={`Switch to ${next}`}>
        {scheme === 'dark' ? <IconSun /> : <IconMoon />}
      </ActionIcon>
    </Tooltip>
  );
}
