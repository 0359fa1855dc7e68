// Times of the page as somebody at it meets them: node bench/serve/page.mjs PROGRAM HOME WEB MODEL FROM TO [N]
//
// Starts a server over HOME, opens the page in headless Chromium, then N times (9) changes the spread and presses
// Simulate; zooms in and out and moves to and fro N times by keys. Prints medians and worst cases in milliseconds. "drawn" ends with the
// first frame after plotly.js has drawn; "CPU" is what the page's main thread worked for it, by Chromium's own count.
import { launch, Watch } from '../../tests/peers/web/browser.mjs';
import { freePort, serve } from '../../tests/peers/web/server.mjs';

const [program, home, web, model, from, to, count = '9'] = process.argv.slice(2);
const turns = Number(count);
const server = await serve(program, home, web, await freePort());
const browser = await launch();
const page = await new Watch(server.base).open(browser);
const sizes = [];
page.on('response', async (response) => {
  if (!/\/series\?/.test(response.url())) return;
  const body = await response.body().catch(() => undefined);
  if (body) sizes.push({ bytes: body.length, points: JSON.parse(body.toString()).time.length });
});
const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.enable');
const cpu = async () => 1000 * (await devtools.send('Performance.getMetrics')).metrics.find((each) => each.name === 'TaskDuration').value;

/** Presses a key of the chart, or the button without one, and waits for the frame after the chart has been drawn anew. */
async function timed(key) {
  const before = await cpu();
  const row = await page.evaluate(async (key) => {
    const painted = () => Number(document.querySelector('#chart [data-painted]').dataset.painted);
    const old = painted();
    performance.clearResourceTimings();
    const begin = performance.now();
    if (key) document.querySelector('#chart [data-drawn]').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    else document.querySelector('form.panel button[type=submit]').click();
    await new Promise((resolve, reject) => {
      const look = () => {
        if (painted() > old) requestAnimationFrame(resolve);
        else if (performance.now() - begin > 60_000) reject(new Error(`nothing was drawn in a minute behind ${key ?? 'Simulate'}`));
        else requestAnimationFrame(look);
      };
      look();
    });
    const end = performance.now();
    const asked = performance.getEntriesByType('resource');
    const told = (pattern) => asked.filter((each) => pattern.test(each.name)).map((each) => each.responseEnd - each.startTime);
    const arrived = Math.max(...asked.filter((each) => /\/series\?/.test(each.name)).map((each) => each.responseEnd));
    return { whole: end - begin, simulate: Math.max(0, ...told(/wait_ms/)), series: Math.max(0, ...told(/\/series\?/)), drawn: end - arrived, plotly: Number(document.querySelector('[data-drawn-ms]').dataset.drawnMs) };
  }, key);
  return { ...row, cpu: (await cpu()) - before };
}

function print(name, rows) {
  const said = Object.keys(rows[0]).map((key) => {
    const values = rows.map((row) => row[key]).sort((x, y) => x - y);
    return `${key} ${values[Math.floor(values.length / 2)].toFixed(0)} (${values[values.length - 1].toFixed(0)})`;
  });
  console.log(`  ${name.padEnd(10)} ${said.join(', ')}`);
}

await page.goto(`${server.base}#token=${server.token}&/simulate?${new URLSearchParams({ model, from, to })}`);
await page.waitForFunction(() => document.querySelector('form.panel button[type=submit]')?.disabled === false);
await page.getByRole('button', { name: 'Simulate', exact: true }).click();
await page.waitForSelector('#chart [data-painted]', { timeout: 120_000 });
await page.getByText('Costs, as in training').click();
const simulate = [];
for (let turn = 1; turn <= turns; ++turn) {
  await page.getByLabel('Spread, times').fill(String(1 + turn / 100));
  await page.waitForTimeout(300);
  simulate.push(await timed());
}
const zoom = [];
const pan = [];
// Never so near, or so far, or at an end, that a key changes nothing.
await timed('+');
await timed('+');
for (let turn = 0; turn < turns; ++turn) {
  await page.waitForTimeout(300);
  zoom.push(await timed(turn % 2 ? '-' : '+'));
  await page.waitForTimeout(300);
  pan.push(await timed([0, 3].includes(turn % 4) ? 'ArrowLeft' : 'ArrowRight'));
}
const most = (name) => Math.max(...sizes.map((each) => each[name]));
console.log(`${model}, ${from} to ${to}, ${turns} times: milliseconds, median (worst)`);
print('simulate', simulate);
print('zoom', zoom);
print('move', pan);
console.log(`  at most    ${most('points')} points and ${(most('bytes') / 1000).toFixed(0)} kB a chart`);
await browser.close();
await server.stop();
