// The same pages where runs and models are those of a real MLflow server: nothing of them is in the local store.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launch, Watch } from './browser.mjs';
import { freePort, killAll, serve } from './server.mjs';
import { addressOf, amount, cli as ask, drawn, headline, metric, near, openSimulate, press } from './steps.mjs';

const HOME = process.env.TW_MLFLOW_HOME;
const URI = process.env.TW_MLFLOW_URI;
const ENV = { TRADEWIND_HOME: HOME, MLFLOW_TRACKING_URI: URI };
const MODEL = 'tracked-eurusd:1';

let browser;
let server;
let watch;
const cli = (...args) => ask(process.env.TW_BINARY, ENV, ...args);
/** MLflow's own answer. */
const mlflow = async (call, body) => {
  const answer = await fetch(`${URI}/api/2.0/mlflow/${call}`, body ? { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {});
  assert.equal(answer.status, 200, call);
  return answer.json();
};

before(async () => {
  browser = await launch();
  server = await serve(process.env.TW_BINARY, HOME, process.env.TW_WEB, await freePort(), { MLFLOW_TRACKING_URI: URI });
  watch = new Watch(server.base);
});
after(async () => {
  await browser?.close();
  killAll();
});

test('models are those of MLflow: version, alias set there, verdict, and the run that made them', async () => {
  const { model_version: version } = await mlflow('model-versions/get?name=tracked-eurusd&version=1');
  await mlflow('registered-models/alias', { name: 'tracked-eurusd', alias: 'nightly', version: '1' });
  const page = await watch.open(browser);
  await page.goto(addressOf(server, `#/models/${MODEL}`));
  const shown = page.getByTestId('version');
  await shown.getByText('bars unchanged since training').waitFor();
  await shown.getByText('@nightly').waitFor();
  const verdict = version.tags.find((tag) => tag.key === 'verdict').value;
  assert.equal(await shown.locator('.lead .badge').first().textContent(), verdict);
  await shown.locator('dl a').first().click();
  await page.getByRole('heading', { name: 'tracked-EURUSD' }).waitFor();
  assert.ok(page.url().includes(version.run_id), 'the run is the one that MLflow names');
  await page.locator('.curves .main-svg').first().waitFor();
  assert.ok(!existsSync(path.join(HOME, 'tracking', 'runs.db')) || (await ask(process.env.TW_BINARY, { TRADEWIND_HOME: HOME }, 'runs', 'list')).length === 0, 'the local store has no run');
  await page.context().close();
});

test('what the agent did in March, as the command line says on the same MLflow', async () => {
  const page = await watch.open(browser);
  await openSimulate(server, page, { model: 'tracked-eurusd@nightly', from: '2017-03-01', to: '2017-03-31' });
  await page.getByText('There is only this one yet').waitFor();
  await press(page);
  const answer = await cli('backtest', '--model', MODEL, '--from', '2017-03-01', '--to', '2017-03-31');
  const text = await headline(page).textContent();
  near(amount(/(?:gained|lost) ([\d,.]+) USD/.exec(text)[1]) * (text.includes(' lost ') ? -1 : 1), metric(answer, 'net_profit'), 0.006, 'net profit');
  await drawn(page);
  await page.context().close();
});

test('experiments: MLflow decides what a filter means, and a run that it has is shown at once', async () => {
  const { experiments } = await mlflow('experiments/search', { max_results: 100 });
  const { run } = await mlflow('runs/create', { experiment_id: experiments.find((each) => each.name === 'tradewind' || each.name !== 'Default')?.experiment_id ?? '0', run_name: 'made-elsewhere', start_time: Date.now() });
  await mlflow('runs/log-parameter', { run_id: run.info.run_id, key: 'colour', value: 'blue' });
  const page = await watch.open(browser);
  await page.goto(addressOf(server, '#/experiments'));
  await page.getByRole('link', { name: 'made-elsewhere' }).waitFor();
  await page.getByLabel('Filter, as in MLflow').fill("params.colour = 'blue'");
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'tracked-EURUSD' }).waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('link', { name: 'made-elsewhere' }).count(), 1);
  await mlflow('runs/update', { run_id: run.info.run_id, status: 'FAILED', end_time: Date.now() });
  await page.goto(addressOf(server, '#/overview'));
  await page.getByText('Run made-elsewhere failed', { exact: true }).waitFor();
  assert.deepEqual(watch.complaints, []);
  await page.context().close();
});
