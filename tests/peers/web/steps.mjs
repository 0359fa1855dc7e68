// What the tests do over and over: the command line as oracle, numbers read off a page, one simulation pressed and drawn.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The command line's answer, the oracle of what the pages show. */
export async function cli(binary, env, ...args) {
  const { stdout } = await run(binary, [...args, '--json'], { env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

/** A number as the page writes it, "−1,234.50 USD" or "+3%", back as a number. */
export const amount = (text) => Number(text.replaceAll(',', '').replaceAll('\u2212', '-').replace(/[^\d.+-]/g, ''));
export const metric = (answer, key) => answer.metrics.find((each) => each.id.startsWith(`${key}.v`)).value;
export const near = (actual, expected, slack, what) => assert.ok(Math.abs(actual - expected) <= slack, `${what}: ${actual} is not ${expected}`);

export const headline = (page) => page.getByTestId('headline-sentence');
export const chart = (page) => page.locator('#chart [data-drawn]');

export async function drawn(page) {
  await page.waitForFunction(() => document.querySelector('[data-drawn-ms]') && document.querySelector('.js-plotly-plot .main-svg'));
}

/** An address of the server that carries its token. */
export const addressOf = (server, hash) => `${server.base}#token=${server.token}&${hash.replace(/^#/, '')}`;

/** Opens Simulate for a period; pressing the button is the test's. */
export async function openSimulate(server, page, query) {
  await page.goto(addressOf(server, `#/simulate?${new URLSearchParams(query)}`));
  await page.getByRole('button', { name: 'Simulate', exact: true }).waitFor();
}

export async function press(page) {
  const button = page.getByRole('button', { name: 'Simulate', exact: true });
  await page.waitForFunction(() => document.querySelector('form.panel button[type=submit]')?.disabled === false);
  await button.click();
  await headline(page).waitFor();
  await drawn(page);
}

/** Lets `act` move the chart's window and waits until it is drawn; how many points it has then. */
export async function turn(page, act) {
  const frame = chart(page);
  const now = Number(await frame.getAttribute('data-drawn'));
  await act();
  await page.waitForFunction((old) => Number(document.querySelector('#chart [data-painted]').dataset.painted) > old, now);
  return Number(await frame.getAttribute('data-points'));
}
