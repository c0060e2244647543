// The pages and what their URLs hold.
import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router';
import { parseSearch, stringifySearch } from './lib/search_params.ts';
import { NotFoundPage } from './pages/not_found.tsx';
import { SearchPage } from './pages/search.tsx';
import { TracePage } from './pages/trace.tsx';
import { readTraceQuery } from './search/query.ts';
import { Shell } from './shell/shell.tsx';
import { readTraceView } from './trace/view_state.ts';

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage });

const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/traces', replace: true });
  },
});

export const searchRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/traces',
  validateSearch: readTraceQuery,
  component: SearchPage,
});

export const traceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/traces/$traceId',
  validateSearch: readTraceView,
  component: TracePage,
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([indexRoute, searchRoute, traceRoute]),
  parseSearch,
  stringifySearch,
  defaultPreload: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
