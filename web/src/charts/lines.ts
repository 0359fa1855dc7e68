// Figures of the other pages: curves over steps, parallel coordinates, candles alone.
import type { Candles, Curves, Run } from '../api/types';
import { number, significant } from '../lib/format';
import type { Figure, Json } from './plot';
import { barMs } from '../lib/window';
import { breaks, priceTrace } from './sim_figure';
import { axis, baseLayout, lineStyle, type Colours } from './theme';

export interface NamedCurve {
  name: string;
  steps: number[];
  values: (number | null)[];
}

/** Running mean over so many points on either side; gaps stay. */
export function smooth(values: (number | null)[], reach: number): (number | null)[] {
  if (reach <= 0) return values;
  return values.map((value, row) => {
    if (value === null) return null;
    let sum = 0;
    let seen = 0;
    for (let i = Math.max(0, row - reach); i <= Math.min(values.length - 1, row + reach); ++i) {
      const each = values[i];
      if (each !== null && each !== undefined) {
        sum += each;
        ++seen;
      }
    }
    return sum / seen;
  });
}

export function curveFigure(curves: NamedCurve[], palette: Colours, reach: number): Figure {
  const data: Json[] = curves.flatMap((curve, row) => {
    const style = lineStyle(row);
    const thin: Json = { type: 'scatter', mode: curve.steps.length < 2 ? 'markers' : 'lines', x: curve.steps, y: curve.values, name: curve.name, line: { ...style, width: 1 }, marker: { color: style.color }, opacity: 0.3, hoverinfo: 'skip' };
    const main: Json = { ...thin, y: smooth(curve.values, reach), line: style, opacity: 1, hoverinfo: 'all', hovertemplate: `%{y:.5g}<extra>${curve.name.replace(/[<>&]/g, '')}</extra>` };
    return reach > 0 ? [thin, main] : [main];
  });
  return {
    data,
    layout: baseLayout(palette, {
      margin: { l: 56, r: 10, t: 6, b: 34 }, hovermode: 'x unified',
      xaxis: axis(palette, { tickformat: '~s', title: { text: 'steps', font: { size: 11, color: palette.muted }, standoff: 4 }, zeroline: false }),
      yaxis: axis(palette, { zeroline: false, nticks: 6 }),
    }),
  };
}

export interface Dimension {
  label: string;
  values: (number | string | null)[];
}

/** One line a run through its parameters and results; texts become places on their axis. */
export function parallelFigure(dimensions: Dimension[], colourBy: (number | null)[], palette: Colours): Figure {
  const dims = dimensions.map((dimension) => {
    const numbers = dimension.values.every((value) => value === null || value === '' || Number.isFinite(Number(value)));
    if (numbers) {
      const values = dimension.values.map((value) => (value === null || value === '' ? Number.NaN : Number(value)));
      const known = values.filter(Number.isFinite);
      const low = Math.min(...known);
      const high = Math.max(...known);
      const distinct = [...new Set(known)].sort((a, b) => a - b);
      return {
        label: dimension.label, values,
        range: low < high ? [low, high] : [low - 0.5, low + 0.5],
        ...(distinct.length <= 6 ? { tickvals: distinct, ticktext: distinct.map((value) => significant(value, 3)) } : {}),
      };
    }
    const texts = [...new Set(dimension.values.map((value) => String(value ?? '')))].sort();
    return { label: dimension.label, values: dimension.values.map((value) => texts.indexOf(String(value ?? ''))), tickvals: texts.map((_, row) => row), ticktext: texts.map((text) => text.slice(0, 18) || 'none'), range: [-0.2, Math.max(0.2, texts.length - 0.8)] };
  });
  const known = colourBy.filter((value): value is number => value !== null && Number.isFinite(value));
  const low = known.length ? Math.min(...known) : 0;
  const high = known.length ? Math.max(...known) : 1;
  return {
    data: [{
      type: 'parcoords', dimensions: dims, labelfont: { size: 11, color: palette.muted }, tickfont: { size: 10, color: palette.muted }, rangefont: { size: 1, color: 'rgba(0,0,0,0)' },
      unselected: { line: { color: palette.grid, opacity: 0.6 } },
      line: { color: colourBy.map((value) => (value === null || !Number.isFinite(value) ? low : value)), colorscale: [[0, palette.sell], [0.5, palette.second], [1, palette.accent]], cmin: low, cmax: high > low ? high : low + 1 },
    }],
    layout: baseLayout(palette, { margin: { l: 84, r: 76, t: 46, b: 18 } }),
  };
}

export function candleFigure(candles: Candles, palette: Colours, narrow: boolean): Figure {
  return {
    data: [{ ...priceTrace(candles, palette), hoverinfo: 'x+y', yhoverformat: `.${candles.digits}f` }],
    layout: baseLayout(palette, {
      margin: { l: narrow ? 48 : 60, r: 10, t: 6, b: 26 }, ...(narrow ? { dragmode: false } : {}),
      xaxis: axis(palette, { type: 'date', rangeslider: { visible: false }, nticks: narrow ? 4 : 8, tickangle: 0, rangebreaks: breaks(candles.time, barMs(candles.freq) * candles.bars_per_point) }),
      yaxis: axis(palette, { fixedrange: true, tickformat: `.${Math.min(candles.digits, narrow ? 4 : 5)}f`, nticks: 6, zeroline: false }),
    }),
  };
}

/** Metrics worth an axis: those that most of the runs have. */
export function sharedMetrics(runs: Pick<Run, 'metrics'>[]): string[] {
  const seen = new Map<string, number>();
  for (const run of runs) {
    for (const [key, value] of Object.entries(run.metrics)) if (value !== null) seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return [...seen].filter(([, times]) => times * 2 > runs.length).map(([key]) => key).sort();
}

export function namedCurves(curves: Curves[], key: string, names: string[]): NamedCurve[] {
  return curves.flatMap((each, row) => {
    const curve = each.curves.find((candidate) => candidate.key === key);
    return curve && curve.steps.length ? [{ name: names[row] ?? each.run_id.slice(0, 8), steps: curve.steps, values: curve.values }] : [];
  });
}

/** "rollout/ep_rew_mean: -0.12". */
export function latest(curve: NamedCurve): string {
  const last = curve.values[curve.values.length - 1];
  return number(last ?? null, 3);
}
