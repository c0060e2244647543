// Takes screenshots of both pages, light and dark, at two widths, and fails on errors in the page.
//
//   node e2e/screens.mjs http://127.0.0.1:4319 [trace id]
//
// Writes e2e/out/<page>-<scheme>-<width>.png. Look at them.
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';

const base = process.argv[2] ?? 'http://127.0.0.1:5173';
const only = process.argv[3];
const out = new URL('./out/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });

const browser = await launch();
const problems = [];

async function open(scheme, width, path) {
  const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme: scheme });
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`${path}: ${error}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`${path}: ${message.text()}`));
  await page.goto(base + path);
  return page;
}

async function shoot(page, name) {
  await page.waitForTimeout(150);
  await page.screenshot({ path: `${out}${name}.png` });
}

async function searchPage(scheme, width) {
  const page = await open(scheme, width, '/traces');
  await page.locator('[role="row"] >> nth=3').waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await shoot(page, `search-${scheme}-${width}`);
  const hrefs = await page
    .locator('a[role="row"]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('href')));
  await page.context().close();
  return hrefs[0];
}

async function tracePage(scheme, width, path) {
  const page = await open(scheme, width, path);
  await page.locator('[role="treegrid"] [role="row"]').first().waitFor();
  await shoot(page, `trace-${scheme}-${width}`);
  await page.keyboard.press('e');
  if ((await page.locator('[aria-selected="true"][role="row"]').count()) === 0)
    await page.keyboard.press('j');
  await page.locator('summary').first().waitFor();
  await shoot(page, `span-${scheme}-${width}`);
  await page.keyboard.press('2');
  await shoot(page, `logs-${scheme}-${width}`);
  await page.context().close();
}

for (const scheme of ['light', 'dark']) {
  for (const width of [1440, 1024]) {
    const first = await searchPage(scheme, width);
    await tracePage(scheme, width, only ? `/traces/${only}` : first);
  }
}
await browser.close();
for (const problem of problems) console.error(problem);
process.exit(problems.length ? 1 : 0);
