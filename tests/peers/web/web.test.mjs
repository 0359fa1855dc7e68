// The workflow of somebody who has run the quickstart, errors included; figures are compared with the command line's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { accessibility, launch, Watch } from './browser.mjs';
import { freePort, killAll, serve } from './server.mjs';
import { addressOf, amount, chart, cli as ask, drawn, headline, metric, near, openSimulate, press, turn } from './steps.mjs';

const BINARY = process.env.TW_BINARY;
const HOME = process.env.TRADEWIND_HOME;
const WEB = process.env.TW_WEB;
const PICTURES = process.env.TW_PICTURES ?? mkdtempSync(path.join(process.env.TW_WORK, 'pictures-'));
const MODEL = 'quickstart-eurusd:1';
const OTHER = 'careful-eurusd:1';

let browser;
let server;
let watch;
let port;
const cli = (...args) => ask(BINARY, { TRADEWIND_HOME: HOME }, ...args);
const address = (hash) => addressOf(server, hash);
const simulate = (page, query) => openSimulate(server, page, query);

/** Waits until the chart's window lies inside these days. */
async function shows(page, from, to) {
  await page.waitForFunction(([first, last]) => {
    const frame = document.querySelector('#chart [data-drawn]');
    return Number(frame.dataset.from) >= first && Number(frame.dataset.to) <= last;
  }, [Date.parse(from), Date.parse(to) + 86_400_000]);
}

async function picture(page, name, options = {}) {
  await page.mouse.move(0, 0);
  await page.waitForTimeout(150);
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), ...options });
}

before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await launch();
  port = await freePort();
  server = await serve(BINARY, HOME, WEB, port);
  watch = new Watch(server.base);
});

after(async () => {
  await browser?.close();
  killAll();
});

test('with an empty store every page says what to do next', async () => {
  const home = mkdtempSync(path.join(process.env.TW_WORK, 'empty-'));
  const empty = await serve(BINARY, home, WEB, await freePort());
  const seen = new Watch(empty.base);
  const page = await seen.open(browser);
  for (const [hash, words] of [['overview', 'no model yet'], ['simulate', 'no data yet'], ['stress', 'no data yet'], ['models', 'no model yet'], ['experiments', 'Nothing was tried yet'], ['data', 'no data yet']]) {
    await page.goto(`${empty.base}#/${hash}`);
    await page.getByText(words).first().waitFor();
    assert.ok(await page.getByText(/tradewind (data import|train)/).first().isVisible(), `${hash} names a command`);
    assert.deepEqual(await accessibility(page), [], hash);
  }
  assert.deepEqual(seen.complaints, []);
  await page.context().close();
  assert.equal((await empty.stop()).code, 0, 'the server ends in order');
});

test('the token leaves the address bar at once', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/overview'));
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  assert.ok(!page.url().includes(server.token));
  assert.match(page.url(), /#\/overview$/);
  assert.equal(await page.getByText('read only').count(), 0);
  await page.context().close();
});

test('from the overview to what an agent did takes one click', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/overview'));
  await picture(page, 'web-overview');
  await page.locator('.model-card', { hasText: 'quickstart-eurusd' }).getByRole('link', { name: 'See what it did' }).click();
  await headline(page).waitFor();
  await drawn(page);
  const text = await headline(page).textContent();
  assert.match(text, /From 2017-01-\d\d to 2017-1\d-\d\d, quickstart-eurusd:1 (gained|lost) [\d,.]+ USD \([+−][\d.]+%\) in [\d,]+ (closed )?trades( and one that is still open)?\./);
  assert.match(await page.getByTestId('trust').textContent(), /not what it is worth/, 'bars of the training are marked');
  // A link never takes a look at the holdout by itself.
  assert.equal(await page.locator('input[type=date]').nth(1).inputValue() < '2017-12-01', true);
  await page.context().close();
});

test('what did the agent do in March, and what did it cost: as the command line says', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL });
  await page.waitForFunction(() => document.querySelectorAll('form.panel select')[3]?.options.length > 5);
  await page.getByLabel('Period').selectOption({ label: 'Mar 2017' });
  await press(page);
  const answer = await cli('backtest', '--model', MODEL, '--from', '2017-03-01', '--to', '2017-03-31');
  const text = await headline(page).textContent();
  near(amount(/(?:gained|lost) ([\d,.]+) USD/.exec(text)[1]) * (text.includes(' lost ') ? -1 : 1), metric(answer, 'net_profit'), 0.006, 'net profit');
  const tile = (name) => page.getByTestId('headline').locator('.tile', { hasText: name }).locator('dd');
  near(amount((await tile('Sharpe ratio').innerText()).split('\n')[0]), metric(answer, 'sharpe'), 0.006, 'Sharpe ratio');
  near(amount((await tile('Maximum drawdown').innerText()).split('\n')[0]) / 100, metric(answer, 'max_drawdown'), 6e-5, 'drawdown');
  const costs = answer.costs;
  const total = Number(costs.spread) + Number(costs.slippage) + Number(costs.commission) - Number(costs.financing) - Number(costs.conversion_effect);
  near(amount((await tile('All costs').innerText()).split('\n')[0]), total, 0.02, 'costs');
  assert.match(await page.locator('#trades h2 + span').textContent(), /shown: net/);
  await page.context().close();
});

test('a month of a longer period: its sentence, its bars, its trades', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, run: 1 });
  await headline(page).waitFor();
  await drawn(page);
  await page.getByRole('button', { name: 'March 2017' }).click();
  assert.match(await page.getByTestId('month-sentence').textContent(), /In March 2017, quickstart-eurusd:1 (gained|lost|neither).*of costs inside that/);
  await shows(page, '2017-02-28', '2017-03-31');
  const entries = await page.locator('#trades tbody tr td:nth-child(5)').allTextContents();
  assert.ok(entries.length > 0 && entries.every((entry) => entry === 'open' || entry >= '2017-02-28'), 'trades of the month only');
  await page.context().close();
});

test('is it better than the other one', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, with: OTHER, from: '2017-03-01', to: '2017-05-31' });
  await press(page);
  await page.getByTestId('comparison').waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid=comparison]').textContent.length > 90);
  const text = await page.getByTestId('comparison').textContent();
  const [a, b] = await Promise.all([MODEL, OTHER].map((model) => cli('backtest', '--model', model, '--from', '2017-03-01', '--to', '2017-05-31')));
  const gap = metric(a, 'net_profit') - metric(b, 'net_profit');
  const [, ahead, sum] = /(\S+) ended ([\d,.]+) USD ahead of/.exec(text);
  assert.equal(ahead, gap > 0 ? MODEL : OTHER);
  near(amount(sum), Math.abs(gap), 0.011, 'difference');
  assert.ok(text.length > 90, `the server says whether it is luck: ${text}`);
  assert.equal(await page.locator('.tile .other').count() > 5, true, 'metrics of both');
  await page.setViewportSize({ width: 1400, height: 1330 });
  await picture(page, 'web-simulate');
  await page.context().close();
});

test('trades sort, filter and lead into the chart', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-02-01', to: '2017-09-29' });
  await press(page);
  const cells = (column) => page.locator(`#trades tbody tr td:nth-child(${column})`).allTextContents();
  await page.locator('#trades').getByRole('button', { name: 'Net', exact: true }).click();
  await page.waitForFunction(() => document.querySelector('#trades th[aria-sort=descending]')?.textContent === 'Net');
  await page.waitForFunction(() => !document.querySelector('#trades .busy'));
  const nets = (await cells(3)).map(amount);
  assert.deepEqual(nets, [...nets].sort((x, y) => y - x));
  await page.locator('#trades').getByLabel('Side').selectOption('short');
  await page.waitForFunction(() => [...document.querySelectorAll('#trades tbody tr td:nth-child(2)')].every((cell) => cell.textContent.includes('short')));
  const before = Number(await chart(page).getAttribute('data-drawn'));
  await page.locator('#trades tbody tr').nth(1).getByRole('button').click();
  await page.waitForFunction((turn) => Number(document.querySelector('#chart [data-drawn]').getAttribute('data-drawn')) > turn, before);
  const entry = await page.locator('#trades tr.selected button').textContent();
  await page.waitForFunction((ms) => {
    const frame = document.querySelector('#chart [data-drawn]');
    return Number(frame.dataset.from) < ms && ms < Number(frame.dataset.to) && Number(frame.dataset.to) - Number(frame.dataset.from) < 40 * 86_400_000;
  }, Date.parse(`${entry.replace(' ', 'T')}Z`));
  assert.equal(await page.locator('#trades tr.selected').count(), 1);
  await page.context().close();
});

test('the chart is driven by keys and by the mouse', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-02-01', to: '2017-09-29' });
  await press(page);
  const frame = page.locator('#chart [data-drawn]');
  const move = (act) => turn(page, act);
  await frame.focus();
  const whole = Number(await frame.getAttribute('data-points'));
  assert.ok(whole <= 900, `${whole} points for the whole`);
  await move(() => page.keyboard.press('+'));
  await move(() => page.keyboard.press('ArrowLeft'));
  await move(() => page.keyboard.press('0'));
  assert.equal(Number(await frame.getAttribute('data-points')), whole);
  const box = await page.locator('#chart .nsewdrag').first().boundingBox();
  await move(async () => {
    await page.mouse.move(box.x + box.width * 0.4, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.45, box.y + 60, { steps: 4 });
    await page.mouse.up();
  });
  await page.waitForFunction(() => Number(document.querySelector('#chart [data-drawn]').dataset.to) - Number(document.querySelector('#chart [data-drawn]').dataset.from) < 30 * 86_400_000);
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
  await page.waitForFunction(() => /O [\d.]+ H [\d.]+ L/.test(document.querySelector('.readout').textContent));
  await move(() => page.mouse.dblclick(box.x + box.width * 0.5, box.y + 60));
  assert.equal(Number(await frame.getAttribute('data-points')), whole, 'a double click shows all again');
  await page.context().close();
});

test('a copied address shows the same to somebody without the token, who cannot start anything', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await press(page);
  await page.waitForFunction(() => location.hash.includes('sim='));
  const [link, text] = [page.url(), await headline(page).textContent()];
  assert.ok(!link.includes(server.token));
  const guest = await watch.open(browser);
  await guest.goto(link);
  await headline(guest).waitFor();
  assert.equal(await headline(guest).textContent(), text);
  await guest.getByText('read only').waitFor();
  await guest.getByRole('button', { name: 'Simulate', exact: true }).click();
  await guest.getByRole('alert').getByText(/token/i).first().waitFor();
  // And a reload keeps what was there.
  await page.reload();
  await headline(page).waitFor();
  assert.equal(await headline(page).textContent(), text);
  await guest.context().close();
  await page.context().close();
});

test('trades, report and picture can be taken along', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await press(page);
  const take = async (name) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('.lead-card, #chart').getByRole('button', { name, exact: true }).click()]);
    return readFileSync(await file.path());
  };
  const shown = Number(/([\d,]+) shown/.exec(await page.locator('#trades h2 + span').textContent())[1].replace(',', ''));
  const lines = (await take('Trades')).toString().trim().split('\n');
  assert.equal(lines.length - 1, shown, 'a line a trade');
  assert.match((await take('Report')).toString(), /<!doctype html>/i);
  assert.ok((await take('Equity')).length > 1000);
  const png = await take('Picture');
  assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.ok(png.length > 20_000, `the picture has ${png.length} bytes`);
  await page.context().close();
});

test('other costs cost more, and the form says what is wrong', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await press(page);
  const cost = async () => amount(/costs took ([\d,.]+)/.exec(await page.locator('.lead-card p').nth(1).textContent())[1]);
  const cheap = await cost();
  await page.getByText('Costs, as in training').click();
  await page.getByLabel('Spread, times').fill('3');
  const before = page.url();
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.waitForFunction((old) => location.href !== old && location.hash.includes('sim='), before);
  await page.waitForFunction((old) => Number(/costs took ([\d,.]+)/.exec(document.querySelector('.lead-card').textContent)[1].replaceAll(',', '')) > old, cheap);
  await page.getByLabel('Spread, times').fill('-2');
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.getByText('must be between 0 and 100').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-invalid')), 'true', 'the field at fault has the focus');
  await page.context().close();
});

test('a period without bars and a model that is not there are told in words', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-04', to: '2017-03-05' });
  await page.waitForFunction(() => !document.querySelector('form.panel button[type=submit]').disabled);
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.getByRole('alert').first().waitFor();
  assert.match(await page.getByRole('alert').first().textContent(), /2017-03-0[45]|no bars|too few|bars/i);
  await simulate(page, { model: 'nobody:7' });
  await page.getByText('nobody:7 (not there)').first().waitFor({ state: 'attached' });
  assert.ok(await page.getByRole('button', { name: 'Simulate', exact: true }).isDisabled());
  await page.goto(address('#/models/nobody:7'));
  await page.getByText('There is no model nobody:7').waitFor();
  await page.goto(address('#/nowhere'));
  await page.getByText('There is no such page').waitFor();
  await page.context().close();
});

test('a simulation that takes long shows how far it is, and can be cancelled', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-09-29' });
  await page.waitForFunction(() => !document.querySelector('form.panel button[type=submit]').disabled);
  // A year takes a blink, so the wire makes it long: it is told as running until somebody asks to cancel it.
  let state;
  const told = new Promise((resolve) => {
    page.route(/simulations\?wait_ms/, async (route) => {
      const answer = await route.fetch();
      state = { ...(await answer.json()), state: 'running', finished: null, progress: { phase: 'trading', done: 1234, total: 5000 } };
      await route.fulfill({ response: answer, json: state });
    });
    page.route(/\/cancel$/, async (route) => {
      resolve(route.request().headers().authorization);
      await route.continue();
    });
    page.route(/\/events$/, async (route) => {
      await told;
      const last = { ...state, state: 'cancelled', progress: { phase: 'ended', done: 1300, total: 5000 } };
      await route.fulfill({ contentType: 'text/event-stream', body: `: alive\n\nevent: simulation\ndata: ${JSON.stringify(last)}\n\n` });
    });
  });
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.getByText('Trading bar by bar, 1,234 of 5,000 bars').waitFor();
  assert.equal(await page.getByRole('progressbar').getAttribute('aria-valuenow'), '25');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Cancelled. What was computed is gone').waitFor();
  assert.equal(await told, `Bearer ${server.token}`);
  await page.getByRole('button', { name: 'Simulate', exact: true }).waitFor();
  await page.context().close();
});

test('a reload finds what runs', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-02-01', to: '2017-04-28' });
  // Told as running until the page has been loaded anew, and for a while after that.
  let reloaded = false;
  const running = async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), state: 'running', finished: null, progress: { phase: 'trading', done: 100, total: 1500 } } });
  };
  await page.route(/simulations\?wait_ms/, running);
  await page.route(/\/events$/, (route) => (reloaded ? route.continue() : undefined));
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.getByText('Trading bar by bar, 100 of 1,500 bars').waitFor();
  assert.match(page.url(), /sim=\w+/, 'the address names it while it runs');
  await page.route(/simulations\/\w+$/, running);
  reloaded = true;
  await page.reload();
  await headline(page).waitFor();
  await drawn(page);
  await page.context().close();
});

test('what-if sliders trade again at once, and are not counted', async () => {
  const page = await watch.open(browser);
  const ledger = async () => (await (await fetch(`${server.base}api/v1/trials`)).json());
  const before = await ledger();
  await page.goto(address(`#/stress?model=${MODEL}&from=2017-02-01&to=2017-09-29`));
  const sentence = page.getByTestId('stress-sentence');
  await sentence.getByText('As it was').waitFor();
  await page.getByLabel('Spread').fill('3');
  await sentence.getByText('With 3 times the spread').waitFor();
  await page.waitForFunction(() => {
    const [, now, old] = /costs are ([\d,.]+) instead of ([\d,.]+)\./.exec(document.querySelector('[data-testid=stress-sentence]').textContent) ?? [];
    return now && Number(now.replaceAll(',', '')) > Number(old.replaceAll(',', '')) * 1.2;
  });
  assert.match(await page.getByRole('note').textContent(), /not counted as a trial/);
  await page.getByRole('button', { name: 'with a shock' }).click();
  await sentence.getByText('a jump of').waitFor();
  await drawn(page);
  await page.setViewportSize({ width: 1400, height: 1210 });
  await picture(page, 'web-stress');
  assert.deepEqual(await accessibility(page), []);
  const now = await ledger();
  assert.equal(now.count, before.count);
  assert.equal(now.holdout_looks.length, before.holdout_looks.length);
  await page.context().close();
});

test('experiments: runs, one run with its curves, two beside each other, the ledger', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/experiments'));
  await page.getByRole('link', { name: 'quickstart-EURUSD' }).waitFor();
  await page.getByLabel('Filter, as in MLflow').fill("params.nothing = 'x'");
  await page.keyboard.press('Enter');
  await page.getByText('No run fits this filter').waitFor();
  await page.getByLabel('Filter, as in MLflow').fill('metrics.sharpe >');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Filter, as in MLflow').fill('');
  await page.keyboard.press('Enter');
  await page.getByLabel('Compare quickstart-EURUSD').check();
  await page.getByLabel('Compare careful-EURUSD').check();
  await page.getByRole('link', { name: 'Compare 2' }).click();
  await page.getByText('Parameters that differ').waitFor();
  assert.deepEqual(await page.getByRole('row', { name: /^seed/ }).getByRole('cell').allTextContents(), ['seed', '1', '2']);
  await page.locator('.curves .main-svg').first().waitFor();
  assert.deepEqual(await accessibility(page), [], 'comparison');
  await page.goto(address('#/experiments'));
  await page.getByRole('link', { name: 'quickstart-EURUSD' }).click();
  await page.locator('.curves .main-svg').first().waitFor();
  await page.locator('figcaption', { hasText: 'rollout/ep_rew_mean' }).waitFor();
  assert.deepEqual(await accessibility(page), [], 'run');
  await page.waitForTimeout(300);
  await page.setViewportSize({ width: 1400, height: 1060 });
  await picture(page, 'web-run');
  await page.goto(address('#/experiments/trials'));
  await page.getByText('trials are counted').waitFor();
  assert.deepEqual(await accessibility(page), [], 'ledger');
  await page.context().close();
});

test('a study: its best trial, what mattered, its trials', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/experiments/studies'));
  await page.getByRole('link', { name: 'small-search' }).click();
  await page.getByRole('heading', { name: 'small-search' }).waitFor();
  const listed = await (await fetch(`${server.base}api/v1/studies`)).json();
  const study = listed.studies.find((each) => each.name === 'small-search');
  const known = (await cli('study', 'list')).find((each) => each.study === 'small-search');
  assert.deepEqual([study.complete, study.pruned, study.failed, study.best_value], [known.complete, known.pruned, known.failed, known.best_value]);
  const best = page.getByRole('region', { name: 'Best trials' }).locator('tbody tr').first();
  await best.waitFor();
  near(amount(await best.locator('td').nth(2).textContent()), study.best_value, Math.abs(study.best_value) * 1e-3 + 1e-9, 'best value');
  await page.locator('.plot .main-svg').first().waitFor();
  assert.equal(await page.getByRole('region', { name: 'All trials' }).locator('tbody tr').count(), 8);
  assert.deepEqual(await accessibility(page), []);
  await page.waitForTimeout(300);
  await picture(page, 'web-study');
  await page.context().close();
});

test('a training is watched while it runs', async () => {
  const page = await watch.open(browser);
  const training = spawn(BINARY, ['train', '--quiet', '--config', 'styles/quickstart.yaml', '--set', 'name=watched', '--set', 'agent.steps=3000000', '--set', 'agent.seeds=1', '--set', 'validation.folds=2'], {
    env: { ...process.env, TRADEWIND_HOME: HOME }, stdio: 'ignore',
  });
  const ended = new Promise((resolve) => training.once('exit', resolve));
  try {
    await page.goto(address('#/experiments'));
    const row = page.getByRole('row', { name: /watched-EURUSD/ });
    await row.getByText('running').waitFor();
    await row.getByRole('link', { name: 'watched-EURUSD' }).click();
    await page.locator('.card', { hasText: 'Curves' }).getByText('live').waitFor();
    const figure = page.locator('figure', { hasText: 'rollout/ep_rew_mean' });
    const path = figure.locator('.scatterlayer .trace path.js-line').first();
    await path.waitFor({ state: 'attached' });
    const first = await path.getAttribute('d');
    await page.waitForFunction((old) => {
      const found = [...document.querySelectorAll('figure')].find((each) => each.textContent.includes('rollout/ep_rew_mean'));
      const line = found?.querySelector('.scatterlayer .trace path.js-line')?.getAttribute('d');
      return line && line !== old;
    }, first);
    training.kill('SIGINT');
    await ended;
    await page.locator('.page-head').getByText('running').waitFor({ state: 'detached' });
  } finally {
    training.kill('SIGKILL');
    await ended;
  }
  await page.context().close();
});

test('data and models: coverage, quality, lineage, verdict', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/data'));
  await page.getByText('of 100').waitFor();
  const check = await cli('data', 'check', '--instrument', 'EURUSD', '--freq', '60min');
  assert.match(await page.getByText('of 100').textContent(), new RegExp(`^${check.score} of 100`));
  await page.locator('.cell').first().waitFor();
  await page.locator('.plot .main-svg').first().waitFor();
  await page.locator('.cell').nth(2).hover();
  await page.getByRole('tooltip').getByText('openings have a bar').waitFor();
  await page.keyboard.press('Escape');
  assert.ok(await page.getByRole('tooltip').isHidden(), 'Escape hides a definition');
  assert.deepEqual(await accessibility(page), [], 'data');
  await page.goto(address(`#/models/${MODEL}`));
  await page.getByTestId('version').getByText('bars unchanged since training').waitFor();
  await page.getByText('Sharpe ratio').first().waitFor();
  assert.deepEqual(await accessibility(page), [], 'models');
  await page.context().close();
});

test('what a word means is said on hover, on focus and by a tap', async () => {
  const { definitions } = await (await fetch(`${server.base}api/v1/metric-definitions`)).json();
  const meant = (key) => definitions.find((each) => each.key === key).text;
  const page = await watch.open(browser, { hasTouch: true });
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await press(page);
  const tip = page.getByRole('tooltip');
  const word = (name) => page.getByTestId('headline').getByRole('button', { name, exact: true });
  await word('Sharpe ratio').hover();
  assert.equal(await tip.textContent(), meant('sharpe'));
  await page.mouse.move(5, 5);
  await tip.waitFor({ state: 'hidden' });
  await word('Maximum drawdown').focus();
  assert.equal(await tip.textContent(), meant('max_drawdown'));
  await word('Net profit').tap();
  assert.equal(await tip.textContent(), meant('net_profit'));
  await page.context().close();
});

test('a champion without an edge needs attention, and its page has versions, alias, verdict and lineage', async () => {
  await cli('models', 'promote', OTHER);
  const page = await watch.open(browser);
  await page.goto(address('#/overview'));
  const item = page.locator('.attention li', { hasText: 'The champion of careful-eurusd has no proven edge' });
  await item.getByRole('link', { name: /Look/ }).click();
  const shown = page.getByTestId('version');
  await shown.getByText('@champion').waitFor();
  const known = (await cli('models', 'show', OTHER));
  const words = await shown.locator('.lead').first().textContent();
  assert.ok(words.includes(known.tags.verdict), `${words}: ${JSON.stringify(known.tags)}`);
  assert.equal(await page.getByRole('row', { name: /careful-eurusd/ }).getByText('@champion').count(), 1);
  assert.ok(await shown.getByText('Learned from').isVisible());
  for (const hash of ['bars_sha256', 'config_sha256', 'features_sha256']) {
    const { manifest } = await (await fetch(`${server.base}api/v1/models/careful-eurusd/versions/1`)).json();
    assert.equal(await shown.getByTitle(manifest[hash]).count(), 1, hash);
  }
  await shown.getByRole('link', { name: 'careful-EURUSD' }).click();
  await page.getByRole('heading', { name: 'careful-EURUSD' }).waitFor();
  assert.ok(page.url().includes(known.run_id), 'the run that made it');
  await page.context().close();
});

test('in the dark and on a phone nothing is lost, and nothing leaves the screen', async () => {
  for (const [name, options] of [['dark', { colorScheme: 'dark' }], ['phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }]]) {
    const page = await watch.open(browser, options);
    for (const hash of ['overview', `simulate?model=${MODEL}&with=${OTHER}&from=2017-03-01&to=2017-05-31&run=1`, `stress?model=${MODEL}`, `models/${MODEL}`, 'experiments', 'data']) {
      await page.goto(address(`#/${hash}`));
      await page.locator('h1').waitFor();
      if (hash.startsWith('simulate')) {
        await headline(page).waitFor();
        await drawn(page);
        await page.getByTestId('comparison').waitFor();
      } else {
        await page.waitForTimeout(700);
      }
      assert.deepEqual(await accessibility(page), [], `${name}: ${hash}`);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(beyond <= 0, `${name}: ${hash} is ${beyond} pixels too wide`);
      if (hash.startsWith('simulate') && name === 'phone') {
        await page.locator('.lead-card').scrollIntoViewIfNeeded();
        await picture(page, 'web-simulate-phone');
      }
    }
    await page.context().close();
  }
});

test('keys alone are enough', async () => {
  const page = await watch.open(browser);
  await page.goto(address('#/simulate'));
  await page.waitForFunction(() => document.querySelector('form.panel button[type=submit]') && !document.querySelector('form.panel button[type=submit]').disabled);
  await page.locator('body').press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT', 'the model is the first field');
  await page.locator('input[type=date]').first().focus();
  await page.keyboard.press('Enter');
  await headline(page).waitFor();
  await page.context().close();
});

test('the server is lost and comes back', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await page.waitForFunction(() => !document.querySelector('form.panel button[type=submit]').disabled);
  // The simulation is held where it still runs, and the server dies before its progress is asked for.
  await page.route(/simulations\?wait_ms/, async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    await route.fulfill({ response: answer, json: { ...body, state: 'running', progress: { phase: 'trading', done: 100, total: 500 } } });
  });
  await page.route(/\/events$/, async (route) => {
    if (server) {
      await server.kill();
      server = undefined;
    }
    await route.continue();
  });
  await page.getByRole('button', { name: 'Simulate', exact: true }).click();
  await page.getByText('The server cannot be reached').first().waitFor();
  await page.getByText('100 of 500 bars').waitFor();
  await page.unroute(/simulations\?wait_ms/);
  await page.unroute(/\/events$/);
  server = await serve(BINARY, HOME, WEB, port);
  await page.getByText('The server no longer knows this simulation').waitFor();
  await page.locator('.offline').waitFor({ state: 'detached' });
  // The token may be a new one: the page is told by the address that the new server printed.
  await page.goto(address('#/overview'));
  await simulate(page, { model: MODEL, from: '2017-03-01', to: '2017-03-31' });
  await press(page);
  await page.context().close();
});

test('a year of hourly bars is drawn in a blink', async () => {
  const page = await watch.open(browser);
  await simulate(page, { model: MODEL, from: '2017-01-09', to: '2017-10-13' });
  await press(page);
  const times = [];
  for (let turn = 0; turn < 5; ++turn) {
    await page.getByText('Costs').first().waitFor();
    times.push(await page.evaluate(async () => {
      const frame = document.querySelector('#chart [data-drawn]');
      const old = Number(frame.getAttribute('data-drawn'));
      const begin = performance.now();
      document.querySelector('form.panel button[type=submit]').click();
      await new Promise((resolve) => {
        const look = () => (Number(document.querySelector('#chart [data-drawn]')?.getAttribute('data-drawn')) > old ? requestAnimationFrame(resolve) : requestAnimationFrame(look));
        look();
      });
      return [performance.now() - begin, Number(document.querySelector('[data-drawn-ms]').getAttribute('data-drawn-ms'))];
    }));
    await page.waitForTimeout(300);
  }
  const middle = (row) => times.map((each) => each[row]).sort((x, y) => x - y)[2].toFixed(0);
  console.log(`click to data in the page ${middle(0)} ms, chart drawn in ${middle(1)} ms (medians of 5; not asserted)`);
  await page.context().close();
});

test('nothing was complained about, and nothing asked for elsewhere', () => {
  assert.deepEqual(watch.complaints, []);
  assert.deepEqual([...watch.foreign], []);
});
