import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, byUnit, compact, count, day, duration, instant, minute, money, monthName, number, percent, signed, significant, stretch } from './format';

test('numbers have groups, a true minus sign, and a dash for what is missing', () => {
  assert.equal(number(1234.5), '1,234.50');
  assert.equal(number(-0.5, 1), '\u22120.5');
  assert.equal(number(-0.001, 2), '0.00', 'no minus zero');
  assert.equal(number(null), '–');
  assert.equal(number(Number.NaN), '–');
  assert.equal(signed(3), '+3.00');
  assert.equal(signed(0.001), '0.00');
  assert.equal(count(1e6), '1,000,000');
});

test('money and percentages carry their unit only with a value', () => {
  assert.equal(money(-12.3, 'USD'), '\u221212.30 USD');
  assert.equal(money(null, 'USD'), '–');
  assert.equal(percent(0.01234), '1.23%');
  assert.equal(percent(0.01234, 1, true), '+1.2%');
  assert.equal(percent(undefined), '–');
});

test('significant digits without an exponent for usual sizes', () => {
  assert.equal(significant(0.000312), '0.000312');
  assert.equal(significant(123456), '123,456');
  assert.equal(significant(100), '100');
  assert.equal(significant(2.5), '2.5');
  assert.equal(significant(1e-9), '1.000e\u22129');
  assert.equal(significant(0), '0');
  assert.equal(compact(1_530_000), '1.5 M');
});

test('durations in the two largest units', () => {
  assert.equal(duration(0), '0 s');
  assert.equal(duration(0.05), '50 ms');
  assert.equal(duration(61), '1 min 1 s');
  assert.equal(duration(3600), '1 h');
  assert.equal(duration(100_000), '1 d 3 h');
  assert.equal(duration(40 * 86400), '40 d');
  assert.equal(duration(undefined), '–');
});

test('instants are UTC whatever the machine thinks', () => {
  assert.equal(instant('2017-03-01'), Date.UTC(2017, 2, 1));
  assert.equal(day('2017-03-01T23:30:00Z'), '2017-03-01');
  assert.equal(minute(Date.UTC(2017, 2, 1, 14, 5)), '2017-03-01 14:05');
  assert.equal(day('nonsense'), '–');
  assert.equal(monthName('2017-03'), 'March 2017');
});

test('windows of the ledger as days', () => {
  assert.equal(stretch('EURUSD 60min 2017-05-02T07:00:00Z..2017-10-19T09:00:00Z'), '2017-05-02 to 2017-10-19');
  assert.equal(stretch('2017-12-29T21:00:00Z..2017-12-29T22:00:00Z'), '2017-12-29');
  assert.equal(stretch('anything else'), 'anything else');
});

test('how long ago, until it is a date', () => {
  const now = Date.UTC(2026, 0, 31);
  assert.equal(ago(now - 1000, now), 'just now');
  assert.equal(ago(now - 300_000, now), '5 min ago');
  assert.equal(ago(now - 3 * 86_400_000, now), '3 d ago');
  assert.equal(ago(now - 90 * 86_400_000, now), '2025-11-02');
});

test('values by the unit of their definition', () => {
  assert.equal(byUnit(0.5, 'fraction'), '50.00%');
  assert.equal(byUnit(0.1, 'fraction/yr'), '10.00%/yr');
  assert.equal(byUnit(3600, 'seconds'), '1 h');
  assert.equal(byUnit(1488376800, 'time'), '2017-03-01 14:00');
  assert.equal(byUnit(null, 'money', 'USD'), '–');
  assert.equal(byUnit(1.97, 'ratio'), '1.97');
});
