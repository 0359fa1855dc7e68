import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StudyTrial } from '../api/types';
import { bestSoFar, frontFigure, historyFigure, studyDimensions } from './studies';
import type { Colours } from './theme';

const palette = new Proxy({}, { get: () => '#102030' }) as Colours;
const trial = (number: number, state: StudyTrial['state'], values: (number | null)[], more: Partial<StudyTrial> = {}): StudyTrial => ({
  number, state, start: null, complete: null, values, feasible: true, params: { lr: 10 ** -number, algo: 'ppo' }, intermediate: { steps: [], values: [] }, ...more,
});
const trials = [trial(3, 'COMPLETE', [2]), trial(0, 'COMPLETE', [3]), trial(1, 'PRUNED', [], { intermediate: { steps: [1], values: [9] } }), trial(2, 'COMPLETE', [1], { feasible: false }), trial(4, 'COMPLETE', [null])];

test('the best so far follows the direction, in the order of numbers, over feasible trials with a value', () => {
  assert.deepEqual(bestSoFar(trials, 'MINIMIZE'), { numbers: [0, 3], values: [3, 2] });
  assert.deepEqual(bestSoFar(trials, 'MAXIMIZE'), { numbers: [0, 3], values: [3, 3] });
});

test('the history tells complete, infeasible and pruned trials apart', () => {
  const data = historyFigure(trials, 'MINIMIZE', palette).data as { name: string; x: number[]; y: number[] }[];
  assert.deepEqual(data.map((each) => [each.name, each.x]), [['complete', [0, 3, 4]], ['infeasible', [2]], ['pruned', [1]], ['best so far', [0, 3]]]);
  assert.deepEqual(data[2]?.y, [9], 'a pruned trial stands where it was stopped');
});

test('the front is marked', () => {
  const two = [trial(0, 'COMPLETE', [1, 2]), trial(1, 'COMPLETE', [3, 3])];
  const data = frontFigure(two, [two[0] as StudyTrial], palette).data as { x: number[] }[];
  assert.deepEqual(data.map((each) => each.x), [[3], [1]]);
});

test('parallel axes: the important ones first, logarithms where the search was logarithmic', () => {
  const { dimensions, values } = studyDimensions(trials, ['lr', 'algo'], new Set(['lr']));
  assert.deepEqual(dimensions.map((each) => each.label), ['lr (log10)', 'algo', 'value']);
  assert.deepEqual(dimensions[0]?.values.map((value) => Math.round(Number(value))), [0, -2, -3, -4]);
  assert.deepEqual(values, [3, 1, 2, null]);
});
