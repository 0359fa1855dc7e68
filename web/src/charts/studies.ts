// Figures of a study: how its values came, what mattered, where the front of several objectives lies.
import type { Study, StudyTrial } from '../api/types';
import { significant } from '../lib/format';
import type { Dimension } from './lines';
import type { Figure, Json } from './plot';
import { axis, baseLayout, lineStyle, type Colours } from './theme';

type Direction = Study['directions'][number];

/** Best value so far at each trial that has one, by number. */
export function bestSoFar(trials: StudyTrial[], direction: Direction | undefined): { numbers: number[]; values: number[] } {
  const numbers: number[] = [];
  const values: number[] = [];
  let best: number | undefined;
  for (const trial of complete(trials)) {
    const value = trial.values[0];
    if (value === null || value === undefined || !trial.feasible) continue;
    if (best === undefined || (direction === 'MAXIMIZE' ? value > best : value < best)) best = value;
    numbers.push(trial.number);
    values.push(best);
  }
  return { numbers, values };
}

function complete(trials: StudyTrial[]): StudyTrial[] {
  return trials.filter((trial) => trial.state === 'COMPLETE').sort((a, b) => a.number - b.number);
}

const words = (params: StudyTrial['params']) => Object.entries(params).map(([key, value]) => `${escape(key)} = ${escape(typeof value === 'number' ? significant(value) : String(value))}`).join('<br>');
const escape = (text: string) => text.replace(/[<>&]/g, ' ');

export function historyFigure(trials: StudyTrial[], direction: Direction | undefined, palette: Colours): Figure {
  const done = complete(trials);
  const best = bestSoFar(trials, direction);
  const points = (rows: StudyTrial[], value: (trial: StudyTrial) => number | null | undefined, name: string, marker: Json): Json => ({
    type: 'scatter', mode: 'markers', name, x: rows.map((trial) => trial.number), y: rows.map(value), text: rows.map((trial) => words(trial.params)),
    hovertemplate: `trial %{x}: %{y:.5g}<br>%{text}<extra>${name}</extra>`, marker,
  });
  const pruned = trials.filter((trial) => trial.state === 'PRUNED' && trial.intermediate.values.length > 0);
  return {
    data: [
      points(done.filter((trial) => trial.feasible), (trial) => trial.values[0], 'complete', { color: palette.accent, size: 7, opacity: 0.8 }),
      points(done.filter((trial) => !trial.feasible), (trial) => trial.values[0], 'infeasible', { color: palette.loss, size: 7, symbol: 'x-thin-open' }),
      points(pruned, (trial) => trial.intermediate.values[trial.intermediate.values.length - 1], 'pruned', { color: palette.muted, size: 6, symbol: 'x-thin-open' }),
      { type: 'scatter', mode: 'lines', name: 'best so far', x: best.numbers, y: best.values, line: { color: palette.second, width: 2, shape: 'hv' }, hoverinfo: 'skip' },
    ],
    layout: baseLayout(palette, {
      margin: { l: 60, r: 10, t: 6, b: 34 }, hovermode: 'closest',
      xaxis: axis(palette, { title: { text: 'trial', font: { size: 11, color: palette.muted }, standoff: 4 }, zeroline: false }),
      yaxis: axis(palette, { zeroline: false, nticks: 6 }),
    }),
  };
}

/** Two objectives against each other; the front stands out. */
export function frontFigure(trials: StudyTrial[], best: StudyTrial[], palette: Colours): Figure {
  const front = new Set(best.map((trial) => trial.number));
  const done = complete(trials);
  const points = (rows: StudyTrial[], name: string, marker: Json): Json => ({
    type: 'scatter', mode: 'markers', name, x: rows.map((trial) => trial.values[0]), y: rows.map((trial) => trial.values[1]),
    text: rows.map((trial) => `trial ${trial.number}<br>${words(trial.params)}`), hovertemplate: `%{text}<extra>${name}</extra>`, marker,
  });
  const title = (text: string) => ({ text, font: { size: 11, color: palette.muted }, standoff: 4 });
  return {
    data: [
      points(done.filter((trial) => !front.has(trial.number)), 'dominated', { color: palette.muted, size: 6, opacity: 0.6 }),
      points(done.filter((trial) => front.has(trial.number)), 'on the front', { color: palette.accent, size: 9, symbol: 'diamond' }),
    ],
    layout: baseLayout(palette, {
      margin: { l: 60, r: 10, t: 6, b: 36 }, hovermode: 'closest',
      xaxis: axis(palette, { title: title('first objective'), zeroline: false }), yaxis: axis(palette, { title: title('second objective'), zeroline: false, nticks: 6 }),
    }),
  };
}

/** What each trial told on its way: pruned ones end early. */
export function progressFigure(trials: StudyTrial[], palette: Colours): Figure {
  return {
    data: trials.filter((trial) => trial.intermediate.steps.length > 0).slice(-60).map((trial) => ({
      type: 'scatter', mode: trial.intermediate.steps.length > 1 ? 'lines' : 'markers', name: `trial ${trial.number}`, x: trial.intermediate.steps, y: trial.intermediate.values,
      line: { ...lineStyle(trial.number), width: 1.2 }, opacity: trial.state === 'PRUNED' ? 0.35 : 0.9, hovertemplate: '%{y:.5g}<extra>%{fullData.name}</extra>',
    })),
    layout: baseLayout(palette, {
      margin: { l: 60, r: 10, t: 6, b: 34 }, hovermode: 'closest',
      xaxis: axis(palette, { title: { text: 'step', font: { size: 11, color: palette.muted }, standoff: 4 }, zeroline: false }), yaxis: axis(palette, { zeroline: false, nticks: 6 }),
    }),
  };
}

/** Axes of the parallel coordinates: the most important parameters, then the value. */
export function studyDimensions(trials: StudyTrial[], order: string[], logs: Set<string>): { dimensions: Dimension[]; values: (number | null)[] } {
  const done = complete(trials).filter((trial) => trial.values.length > 0);
  const dimensions = order.slice(0, 8).map((name) => ({
    label: logs.has(name) ? `${name} (log10)` : name,
    values: done.map((trial) => {
      const value = trial.params[name];
      if (value === undefined || value === null) return null;
      if (typeof value === 'boolean') return String(value);
      return logs.has(name) && typeof value === 'number' && value > 0 ? Math.log10(value) : value;
    }),
  }));
  const values = done.map((trial) => trial.values[0] ?? null);
  return { dimensions: [...dimensions, { label: 'value', values }], values };
}
