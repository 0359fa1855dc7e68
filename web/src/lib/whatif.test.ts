import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALM, describe, isCalm, stressOf, stressQuery, whatIfOf, type Stress } from './whatif';

test('sliders survive the address', () => {
  const stress: Stress = { spread: 2.5, latency: 3, missing: 0.1, path: 'resampled', block: 240, shock: -0.03, seed: 7 };
  assert.deepEqual(stressOf(stressQuery(stress)), stress);
  assert.deepEqual(stressQuery(CALM), {});
  assert.deepEqual(stressOf({}), CALM);
});

test('values from an address are kept inside the limits of the API', () => {
  const stress = stressOf({ spread: '99', latency: '-4', missing: '0.9', shock: 'x', path: 'else', seed: '1.6' });
  assert.deepEqual(stress, { ...CALM, spread: 3, latency: 0, missing: 0.5, seed: 2 });
});

test('only what matters is sent, but always enough to make it a view', () => {
  assert.deepEqual(whatIfOf(CALM), { spread: 1 });
  assert.deepEqual(whatIfOf({ ...CALM, path: 'shocked', shock: 0.05 }), { spread: 1, path: 'shocked', shock: 0.05 });
  assert.deepEqual(whatIfOf({ ...CALM, path: 'resampled', seed: 4 }), { spread: 1, path: 'resampled', block_bars: 120, seed: 4 });
  assert.deepEqual(whatIfOf({ ...CALM, missing: 0.2, latency: 1 }), { spread: 1, latency_bars: 1, missing: 0.2, seed: 1 });
});

test('in words', () => {
  assert.ok(isCalm(CALM));
  assert.ok(isCalm({ ...CALM, seed: 9 }));
  assert.equal(describe(CALM), 'nothing changed yet');
  assert.equal(describe({ ...CALM, spread: 2, latency: 1, missing: 0.25 }), '2 times the spread, decisions 1 bar late, 25% of the bars missing');
});
