// Years of one-minute bars: whatever the window, the server merges bars to what the screen can show and keeps extremes,
// and the page asks again as it is zoomed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { launch, Watch } from './browser.mjs';
import { freePort, killAll, serve } from './server.mjs';
import { chart, drawn, headline, near, openSimulate, press, turn } from './steps.mjs';

const MODEL = 'minutes-eurusd:1';
const POINTS_MAX = 900;
/** What the file of bars has, told by who made it: bids, bars, first and last opening. */
const made = JSON.parse(readFileSync(process.env.TW_MINUTES_MADE, 'utf8'));

let browser;
let server;
let watch;
before(async () => {
  browser = await launch();
  server = await serve(process.env.TW_BINARY, process.env.TW_MINUTES_HOME, process.env.TW_WEB, await freePort());
  watch = new Watch(server.base);
});
after(async () => {
  await browser?.close();
  killAll();
});

const ask = async (path) => (await fetch(`${server.base}api/v1/${path}`)).json();

test(`${made.bars} bars of a minute: drawn from few points, with every extreme, down to single bars`, async () => {
  const page = await watch.open(browser);
  page.setDefaultTimeout(180_000);
  const answers = [];
  page.on('response', async (response) => {
    if (!/\/series\?/.test(response.url())) return;
    const text = await response.text().catch(() => '');
    if (text) answers.push({ bytes: text.length, series: JSON.parse(text) });
  });
  await openSimulate(server, page, { model: MODEL, with: 'other-eurusd:1', from: made.first.slice(0, 10), to: made.last.slice(0, 10) });
  await press(page);
  await page.getByTestId('comparison').waitFor();
  await page.waitForURL(/sim2=/);
  const id = /[&?]sim=(\w+)/.exec(page.url())[1];
  const mine = () => answers.map((each) => each.series).filter((series) => series.id === id);
  /** The chart's latest series, once there are more of them than so many. */
  const latest = async (more) => {
    for (let waited = 0; mine().length <= more && waited < 120_000; waited += 20) await delay(20);
    return mine().at(-1);
  };
  const whole = await latest(0);
  assert.ok(whole.bars > made.bars * 0.99, `${whole.bars} of ${made.bars} bars`);
  assert.ok(whole.bars_per_point > 1);
  // Mids lie half a spread above the bids of the file.
  near(Math.max(...whole.high), made.high, 5e-4, 'highest price');
  near(Math.min(...whole.low), made.low, 5e-4, 'lowest price');
  const merged = whole.markers.count.reduce((sum, count) => sum + count, 0);
  const { total } = await ask(`simulations/${id}/trades?limit=1`);
  assert.ok(merged >= total, `${merged} fills behind the markers of ${total} trades`);

  // Zoomed in by keys, each time with points of its own, until each candle is a bar.
  await chart(page).focus();
  let zooms = 0;
  for (let step = whole.bars_per_point; step > 1 && zooms < 20; ++zooms) {
    const before = mine().length;
    await turn(page, () => page.keyboard.press('+'));
    const now = await latest(before);
    assert.ok(now.bars_per_point < step || now.bars_per_point === 1, `zoom ${zooms}: ${now.bars_per_point} bars a point after ${step}`);
    step = now.bars_per_point;
  }
  assert.equal(mine().at(-1).bars_per_point, 1);
  assert.equal(await page.getByText(/Each candle is/).count(), 0);
  await turn(page, () => page.keyboard.press('ArrowLeft'));
  await turn(page, () => page.keyboard.press('0'));

  // The extremes of the whole are those of its parts.
  const highs = [];
  for (let part = 0; part < 8; ++part) {
    const at = (row) => new Date(whole.time[Math.min(whole.time.length - 1, Math.floor((whole.time.length * row) / 8))]).toISOString();
    const piece = await ask(`simulations/${id}/series?max_points=2000&from=${at(part)}&to=${part === 7 ? '' : at(part + 1)}`.replace(/&to=$/, ''));
    highs.push(Math.max(...piece.high), Math.max(...piece.equity_max), Math.min(...piece.drawdown));
  }
  const every = (row, pick) => pick(...highs.filter((_, index) => index % 3 === row));
  assert.deepEqual([every(0, Math.max), every(1, Math.max), every(2, Math.min)], [Math.max(...whole.high), Math.max(...whole.equity_max), Math.min(...whole.drawdown)]);

  for (const { bytes, series } of answers) {
    assert.ok(series.time.length <= POINTS_MAX && series.markers.time.length <= POINTS_MAX / 2, `${series.time.length} points, ${series.markers.time.length} markers`);
    assert.ok(bytes < 400_000, `${bytes} bytes`);
  }
  assert.ok((await headline(page).textContent()).includes(MODEL));
  await drawn(page);
  const used = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1] / 1e6;
  console.log(`${whole.bars} bars, ${answers.length} charts of at most ${Math.max(...answers.map((each) => each.bytes))} bytes; the server took ${used.toFixed(2)} GB`);
  assert.ok(used < 0.4 + 5e-7 * made.bars, `the server took ${used} GB for two results of ${made.bars} bars`);
  assert.deepEqual(watch.complaints, []);
  await page.context().close();
});
