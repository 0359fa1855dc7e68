import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addDays, isDate, lastOfMonth, namedPeriods, tradingDate, within } from './dates';

test('dates are those of the calendar', () => {
  assert.ok(isDate('2020-02-29'));
  assert.ok(!isDate('2021-02-29'));
  assert.ok(!isDate('2021-2-1'));
  assert.equal(addDays('2020-02-28', 2), '2020-03-01');
  assert.equal(lastOfMonth(2020, 2), '2020-02-29');
});

test('periods lie inside the limits, and March is among them', () => {
  const limits = { from: '2017-01-02', to: '2017-12-29' };
  const periods = namedPeriods(limits);
  for (const period of periods) assert.ok(period.from >= limits.from && period.to <= limits.to && period.from <= period.to, period.id);
  assert.deepEqual(periods.find((period) => period.id === '2017-03'), { id: '2017-03', label: 'Mar 2017', group: 'Months', from: '2017-03-01', to: '2017-03-31' });
  assert.equal(periods.find((period) => period.id === '2017')?.from, '2017-01-02');
  assert.equal(periods.filter((period) => period.group === 'Months').length, 12);
  assert.ok(!periods.some((period) => period.id === 'last-365'), 'the whole is not offered twice');
});

test('a trading day ends at 17:00 New York, in summer and in winter', () => {
  const date = (text: string) => tradingDate(Date.parse(text));
  assert.equal(date('2017-02-28T21:59:59Z'), '2017-02-28');
  assert.equal(date('2017-02-28T22:00:00Z'), '2017-03-01');
  assert.equal(date('2017-05-31T20:59:59Z'), '2017-05-31');
  assert.equal(date('2017-05-31T21:00:00Z'), '2017-06-01');
  assert.equal(date('2017-12-31T22:00:00Z'), '2018-01-01');
  assert.equal(tradingDate(Number.NaN), '');
});

test('no limits, no periods', () => {
  assert.deepEqual(namedPeriods({ from: '', to: '' }), []);
  assert.deepEqual(namedPeriods({ from: '2020-01-02', to: '2020-01-01' }), []);
});

test('a period is clipped, and nothing is left of one outside', () => {
  const limits = { from: '2017-01-02', to: '2017-12-29' };
  assert.deepEqual(within({ from: '2016-01-01', to: '2017-02-01' }, limits), { from: '2017-01-02', to: '2017-02-01' });
  assert.equal(within({ from: '2018-01-01', to: '2018-02-01' }, limits), undefined);
});
