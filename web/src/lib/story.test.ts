import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Costs, Month, Result } from '../api/types';
import { costSentence, coveredShare, difference, headline, joinMonths, monthSentence, monthWindow, totalCost } from './story';

const costs: Costs = { currency: 'USD', net: '-123.40', mid_to_mid: '50.00', spread: '150.00', slippage: '12.00', commission: '8.00', financing: '-3.40', conversion_effect: '0.00' };
const result = { decider: 'quick:1', currency: 'USD', capital: '10000.00', from: '2017-02-28T22:00:00Z', to: '2017-03-31T20:00:00Z', trades: 34, ruined: false, costs } as Result;
const month: Month = { month: '2017-03', net: '12.50', return: 0.00125, end_equity: '10012.50', fills: 20, trades_closed: 1, spread: '3.00', slippage: '1.00', commission: '0.50', financing: '0.25' };

test('costs add up to what lies between before and net', () => {
  assert.equal(Math.round(totalCost(costs) * 100) / 100, 173.4);
  assert.equal(Math.round((Number(costs.mid_to_mid) - totalCost(costs)) * 100) / 100, Number(costs.net));
  assert.equal(totalCost(month), 4.25, 'financing that is received lowers them');
});

test('what it did, in words', () => {
  assert.equal(headline(result), 'From 2017-03-01 to 2017-03-31, quick:1 lost 123.40 USD (\u22121.23%) in 34 trades.');
  assert.equal(headline({ ...result, trades: 1, costs: { ...costs, net: '0.00' } }), 'From 2017-03-01 to 2017-03-31, quick:1 neither gained nor lost (0.00%) in 1 trade.');
  assert.match(headline({ ...result, ruined: true }), /ruined/);
  assert.match(headline({ ...result, metrics: [{ id: 'trades.v1', value: 33 }] as Result['metrics'] }), /in 33 closed trades and one that is still open\./);
  assert.equal(costSentence(costs), 'Before costs it made +50.00 USD; costs took 173.40 USD (spread 150.00, slippage 12.00, commission 8.00, financing 3.40).');
  assert.match(costSentence({ ...costs, financing: '9.00' }), /financing paid in 9\.00/);
  assert.equal(monthSentence(month, 'quick:1', 'USD'), 'In March 2017, quick:1 gained 12.50 USD (+0.13%): 20 orders filled, 1 trade closed, 4.25 USD of costs inside that.');
});

test('which of two ended ahead', () => {
  const other = { ...result, decider: 'calm:1', costs: { ...costs, net: '-23.40' } };
  assert.equal(difference(result, other), 'calm:1 ended 100.00 USD ahead of quick:1.');
  assert.equal(difference(other, result), 'calm:1 ended 100.00 USD ahead of quick:1.');
  assert.equal(difference(result, { ...other, currency: 'EUR' }), '', 'not across currencies');
});

test('months of both, also those that only one has', () => {
  const rows = joinMonths([month], [{ ...month, month: '2017-02' }, month]);
  assert.deepEqual(rows.map((row) => [row.month, Boolean(row.a), Boolean(row.b)]), [['2017-02', false, true], ['2017-03', true, true]]);
});

test('how much of a stretch was learned from', () => {
  const bands = [{ kind: 'trained', from: '2017-01-01T00:00:00Z', to: '2017-01-03T00:00:00Z' }] as Result['bands'];
  const from = Date.UTC(2017, 0, 1);
  assert.equal(coveredShare(bands, 'trained', from, from + 4 * 86_400_000), 0.5);
  assert.equal(coveredShare(bands, 'holdout', from, from + 4 * 86_400_000), 0);
  assert.equal(coveredShare(bands, 'trained', from, from), 0);
});

test('a month of trading dates begins the evening before', () => {
  const window = monthWindow('2017-03');
  assert.equal(new Date(window.from).toISOString(), '2017-02-28T21:00:00.000Z');
  assert.equal(new Date(window.to).toISOString(), '2017-03-31T22:00:00.000Z');
});
