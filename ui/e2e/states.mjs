// Screenshots of what is seen less often: open menus, errors, nothing found. Against the mock (npm run dev).
//
//   node e2e/states.mjs http://127.0.0.1:5173
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';

const base = process.argv[2] ?? 'http://127.0.0.1:5173';
const out = new URL('./out/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const browser = await launch();

const STATES = [
  ['time', 'light', '/traces', (page) => page.getByLabel(/^Time range/).click()],
  ['service', 'dark', '/traces', (page) => page.getByRole('combobox', { name: 'Service' }).click()],
  [
    'filter',
    'light',
    '/traces?filter=http.route=/pay',
    async (page) => {
      await page.keyboard.press('/');
      await page.keyboard.type('http.response.status_code');
    },
  ],
  ['refused', 'dark', '/traces?filter=a=~(', () => {}],
  ['no-match', 'light', '/traces?filter=nothing=here&range=15m', () => {}],
  ['not-found', 'dark', '/traces/00000000000000000000000000000001', () => {}],
  ['no-page', 'light', '/nothing', () => {}],
  ['keys', 'light', '/traces/0dd0dd0dd0dd0dd0dd0dd0dd0dd0dd0d', (page) => page.keyboard.press('?')],
  ['narrowed', 'dark', '/traces?service=payment&status=error&min=20ms', (page) => page.mouse.move(900, 140)],
];

for (const [name, scheme, path, act] of STATES) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 760 }, colorScheme: scheme });
  const page = await context.newPage();
  await page.goto(base + path);
  await page.waitForTimeout(1200);
  await act(page);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${out}state-${name}.png` });
  await context.close();
}
await browser.close();
