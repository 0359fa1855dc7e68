import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Series } from '../api/types';
import { compareValues } from '../ui/table';
import { parallelFigure, sharedMetrics, smooth } from './lines';
import { breaks, faint, readout, simFigure } from './sim_figure';
import type { Colours } from './theme';

const palette = new Proxy({}, { get: () => '#102030' }) as Colours;
const series: Series = {
  id: '0'.repeat(16), digits: 5, bars: 6, bars_per_point: 2, time: [0, 2, 4], open: [1, 1, 1], high: [2, 2, 2], low: [0.5, 0.5, 0.5], close: [1.5, 1.5, 1.5],
  equity: [100, 90, 95], equity_min: [99, 88, 90], equity_max: [101, 100, 96], drawdown: [0, -0.12, -0.05], position: [1000, -1000, 0], position_min: [0, -1000, -1000], position_max: [1000, 1000, 0],
  markers: { time: [0, 2, 2], price: [1, 1.2, 1.2], units: [1000, -2000, 500], count: [1, 3, 1], kind: ['buy', 'sell', 'stop_loss'] },
};
const view = { a: series, names: ['a', ''] as [string, string], bands: [], currency: 'USD', capital: 100, range: [0, 6] as [number, number], narrow: false, barMs: 1 };

test('each kind of fill is a trace of its own, told apart by shape', () => {
  const markers = simFigure(view, palette).data.filter((trace) => trace.mode === 'markers') as { name: string; x: number[]; marker: { symbol: string } }[];
  assert.deepEqual(markers.map((trace) => [trace.name, trace.x]), [['Bought', [0]], ['Sold', [2]], ['Stop loss', [2]]]);
  assert.equal(new Set(markers.map((trace) => trace.marker.symbol)).size, 3);
});

test('all panels share one time axis, so that they zoom together', () => {
  const { data, layout } = simFigure({ ...view, b: series }, palette);
  assert.ok(data.every((trace) => trace.xaxis === 'x'));
  assert.deepEqual([...new Set(data.map((trace) => trace.yaxis))].sort(), ['y', 'y2', 'y3', 'y4']);
  assert.deepEqual((layout.xaxis as { range: number[] }).range, [0, 6]);
});

test('long and short areas come from the extremes of merged points', () => {
  const areas = simFigure(view, palette).data.filter((trace) => trace.yaxis === 'y2') as { y: number[] }[];
  assert.deepEqual(areas.map((trace) => trace.y), [[1000, 1000, 0], [0, -1000, -1000]]);
});

test('merged points show a band around the equity, single bars do not', () => {
  const lines = (one: Series) => simFigure({ ...view, a: one }, palette).data.filter((trace) => trace.yaxis === 'y3').length;
  assert.equal(lines(series), 3);
  assert.equal(lines({ ...series, bars_per_point: 1 }), 1);
});

test('the line above the chart', () => {
  assert.deepEqual(readout(series, 1).slice(2), ['short 1,000', 'equity 90.00', 'drawdown \u221212.00%']);
  assert.equal(faint('#ff0080', 0.5), 'rgba(255,0,128,0.5)');
});

test('weekends are left out of the axis, by their length', () => {
  const hour = 3_600_000;
  const time = [0, 1, 2, 51, 52, 101, 102].map((each) => each * hour);
  assert.deepEqual(breaks(time, hour), [{ values: [3 * hour, 53 * hour], dvalue: 48 * hour }]);
  assert.deepEqual(breaks([0, 24, 96].map((each) => each * hour), 24 * hour), [{ values: [48 * hour], dvalue: 48 * hour }]);
  assert.deepEqual(breaks([0, 1, 3].map((each) => each * hour), hour), [], 'a missing bar is a gap to be seen');
});

test('smoothing keeps gaps and ends', () => {
  assert.deepEqual(smooth([1, 2, 3], 0), [1, 2, 3]);
  assert.deepEqual(smooth([1, null, 3, 5], 1), [1, null, 4, 4]);
});

test('parallel coordinates take numbers as numbers and texts as places', () => {
  const figure = parallelFigure([{ label: 'lr', values: ['0.1', '0.2'] }, { label: 'algo', values: ['ppo', 'a2c'] }, { label: 'same', values: [1, 1] }], [1, null], palette);
  const [trace] = figure.data as { dimensions: { values: number[]; ticktext?: string[]; range: number[] }[]; line: { color: number[] } }[];
  assert.deepEqual(trace?.dimensions[0]?.values, [0.1, 0.2]);
  assert.deepEqual(trace?.dimensions[1]?.ticktext, ['a2c', 'ppo']);
  assert.deepEqual(trace?.dimensions[1]?.values, [1, 0]);
  assert.deepEqual(trace?.dimensions[2]?.range, [0.5, 1.5]);
  assert.deepEqual(trace?.line.color, [1, 1]);
  assert.deepEqual(sharedMetrics([{ metrics: { a: 1, b: null } }, { metrics: { a: 2, b: 1 } }]), ['a']);
});

test('what is missing sorts last in both orders', () => {
  const sort = (descending: boolean) => [3, null, 1, undefined, 2].sort((a, b) => compareValues(a, b, descending)).filter((value) => value != null);
  assert.deepEqual(sort(false), [1, 2, 3]);
  assert.deepEqual(sort(true), [3, 2, 1]);
  assert.equal([null, 1].sort((a, b) => compareValues(a, b, true))[1], null);
  assert.ok(compareValues('run-9', 'run-10', false) < 0, 'numbers in names');
});
