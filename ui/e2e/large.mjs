// How a large trace behaves: time until rows are shown, then the slowest answers to keys and scrolls.
//
//   node e2e/large.mjs http://127.0.0.1:4319 <trace id>
import { mkdirSync } from 'node:fs';
import { launch } from './browser.mjs';

const [base = 'http://127.0.0.1:5173', id = 'b16b16b16b16b16b16b16b16b16b16b1'] = process.argv.slice(2);
const out = new URL('./out/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
const started = performance.now();
await page.goto(`${base}/traces/${id}`);
await page.locator('[role="treegrid"] [role="row"]').first().waitFor();
console.log(`rows shown after ${Math.round(performance.now() - started)} ms`);

/** Runs an action and returns the milliseconds until the second frame after it. */
async function timed(name, action) {
  await page.evaluate(() => {
    window.slowest = 0;
    let last = performance.now();
    window.watch = true;
    const tick = () => {
      const now = performance.now();
      window.slowest = Math.max(window.slowest, now - last);
      last = now;
      if (window.watch) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await action();
  await page.waitForTimeout(300);
  const slowest = await page.evaluate(() => {
    window.watch = false;
    return window.slowest;
  });
  console.log(`${name}: slowest frame ${Math.round(slowest)} ms`);
}

await timed('scroll', async () => {
  await page.mouse.move(600, 500);
  for (let i = 0; i < 20; i++) await page.mouse.wheel(0, 4000);
});
await timed('j ×20', async () => {
  for (let i = 0; i < 20; i++) await page.keyboard.press('j');
});
await timed('next error', () => page.keyboard.press('e'));
await timed('collapse all', () => page.keyboard.press('['));
await timed('expand all', () => page.keyboard.press(']'));
await timed('zoom', () => page.keyboard.press('+'));
await timed('next in time', () => page.keyboard.press('f'));
await page.keyboard.press('/');
await timed('search', () => page.keyboard.type('payment'));
await page.waitForTimeout(700);
await page.screenshot({ path: `${out}large.png` });
await browser.close();
