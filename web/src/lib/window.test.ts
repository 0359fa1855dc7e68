import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowerBound, nearest } from './decimate';
import { barMs, clampSpan, isWhole, lastDays, panSpan, relayoutSpan, zoomSpan } from './window';

const limits = { from: 0, to: 1000 };

test('a window stays inside, keeps its width, and never gets too narrow', () => {
  assert.deepEqual(clampSpan({ from: -100, to: 100 }, limits, 10), { from: 0, to: 200 });
  assert.deepEqual(clampSpan({ from: 950, to: 1150 }, limits, 10), { from: 800, to: 1000 });
  assert.deepEqual(clampSpan({ from: 500, to: 500 }, limits, 10), { from: 495, to: 505 });
  assert.deepEqual(clampSpan({ from: -9e9, to: 9e9 }, limits, 10), limits);
  assert.deepEqual(clampSpan({ from: 0, to: 1 }, { from: 0, to: 5 }, 10), { from: 0, to: 5 }, 'limits narrower than the minimum');
});

test('zooming in and out again is nothing, and so is going there and back', () => {
  const span = { from: 200, to: 400 };
  assert.deepEqual(zoomSpan(zoomSpan(span, 0.5), 2), span);
  assert.deepEqual(panSpan(panSpan(span, 0.25), -0.25), span);
  assert.deepEqual(lastDays({ from: 0, to: 86_400_000 * 9 }, 2), { from: 86_400_000 * 7, to: 86_400_000 * 9 });
  assert.ok(isWhole(limits, limits));
  assert.ok(!isWhole(span, limits));
});

test('what plotly tells of a range', () => {
  assert.deepEqual(relayoutSpan({ 'xaxis.range[0]': '2017-03-01 12:30:00.5', 'xaxis.range[1]': '2017-03-02' }), { from: Date.UTC(2017, 2, 1, 12, 30, 0, 500), to: Date.UTC(2017, 2, 2) });
  assert.deepEqual(relayoutSpan({ 'xaxis.range': [1, 2] }), { from: 1, to: 2 });
  assert.equal(relayoutSpan({ 'xaxis.autorange': true }), 'reset');
  assert.equal(relayoutSpan({ width: 700 }), undefined);
});

test('bars by their name', () => {
  assert.equal(barMs('60min'), 3_600_000);
  assert.equal(barMs('day'), 86_400_000);
});

test('searching in sorted instants', () => {
  const sorted = [10, 20, 20, 30];
  assert.equal(lowerBound(sorted, 20), 1);
  assert.equal(lowerBound(sorted, 31), 4);
  assert.equal(nearest(sorted, 24), 2);
  assert.equal(nearest(sorted, 26), 3);
  assert.equal(nearest(sorted, -5), 0);
  assert.equal(nearest([], 1), -1);
});
