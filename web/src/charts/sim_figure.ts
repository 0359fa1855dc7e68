// The chart of a simulation: price with fills, position, equity, drawdown, on one time axis.
import type { Result, Series } from '../api/types';
import { count, minute, money, number } from '../lib/format';
import type { Figure, Json } from './plot';
import { axis, baseLayout, type Colours } from './theme';

export interface SimFigure {
  a: Series;
  b?: Series | undefined;
  names: [string, string];
  bands: Result['bands'];
  currency: string;
  capital: number;
  range: [number, number];
  narrow: boolean;
  barMs: number;
  /** The chosen trade: entry and exit. */
  trade?: { from: number; to: number; entry: number; exit: number; long: boolean } | undefined;
}

const KINDS = {
  buy: { symbol: 'triangle-up', colour: 'buy', name: 'Bought' },
  sell: { symbol: 'triangle-down', colour: 'sell', name: 'Sold' },
  stop_loss: { symbol: 'x', colour: 'loss', name: 'Stop loss' },
  take_profit: { symbol: 'star', colour: 'gain', name: 'Take profit' },
  stop_out: { symbol: 'octagon', colour: 'loss', name: 'Margin stop-out' },
} as const;

/** Share of the height, from the top. */
const PANELS = { price: [0.5, 1], position: [0.385, 0.475], equity: [0.17, 0.36], drawdown: [0, 0.145] };

export function priceTrace(series: Pick<Series, 'time' | 'open' | 'high' | 'low' | 'close'>, palette: Colours): Json {
  return {
    type: 'candlestick', x: series.time, open: series.open, high: series.high, low: series.low, close: series.close,
    xaxis: 'x', yaxis: 'y', name: 'Price', hoverinfo: 'none', whiskerwidth: 0, line: { width: 1 },
    increasing: { line: { color: palette.up }, fillcolor: palette.up },
    decreasing: { line: { color: palette.down }, fillcolor: palette.down },
  };
}

function markerTraces(series: Series, palette: Colours): Json[] {
  const traces: Json[] = [];
  const { time, price, units, count: merged, kind } = series.markers;
  // Many fills must not hide the price.
  const size = time.length > 300 ? 5 : time.length > 80 ? 7 : 9;
  for (const [name, style] of Object.entries(KINDS)) {
    const rows = kind.flatMap((each, row) => (each === name ? [row] : []));
    if (!rows.length) continue;
    const sizes = rows.map((row) => size + Math.min(5, 1.6 * Math.log2(Math.max(1, merged[row] ?? 1))));
    traces.push({
      type: 'scatter', mode: 'markers', xaxis: 'x', yaxis: 'y', name: style.name,
      x: rows.map((row) => time[row]), y: rows.map((row) => price[row]),
      text: rows.map((row) => {
        const many = (merged[row] ?? 1) > 1 ? ` in ${count(merged[row])} orders` : '';
        return `${style.name} ${count(Math.abs(units[row] ?? 0))}${many}<br>at ${number(price[row], series.digits)}<br>${minute(time[row])}`;
      }),
      hovertemplate: '%{text}<extra></extra>',
      marker: {
        symbol: style.symbol, color: palette[style.colour], opacity: size > 6 ? 1 : 0.75, line: { color: palette.card, width: size > 7 ? 1 : 0.5 },
        // One size for all is drawn quicker than the same for each.
        size: sizes.every((each) => each === sizes[0]) ? sizes[0] : sizes,
      },
    });
  }
  return traces;
}

function line(x: number[], y: ArrayLike<number>, yaxis: string, colour: string, more: Json = {}): Json {
  return { type: 'scatter', mode: 'lines', x, y, xaxis: 'x', yaxis, hoverinfo: 'none', line: { color: colour, width: 1.6 }, ...more };
}

/** Adds alpha to a "#rrggbb" colour. */
export function faint(colour: string, alpha: number): string {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!match) return colour;
  return `rgba(${match.slice(1).map((part) => parseInt(part, 16)).join(',')},${alpha})`;
}

function positionTraces(series: Series, palette: Colours): Json[] {
  const shape = { shape: 'hv', width: 0 };
  return [
    line(series.time, series.position_max.map((units) => Math.max(0, units)), 'y2', palette.buy, { fill: 'tozeroy', fillcolor: faint(palette.buy, 0.45), line: { ...shape, color: palette.buy } }),
    line(series.time, series.position_min.map((units) => Math.min(0, units)), 'y2', palette.sell, { fill: 'tozeroy', fillcolor: faint(palette.sell, 0.45), line: { ...shape, color: palette.sell } }),
  ];
}

function equityTraces(series: Series, colour: string, name: string): Json[] {
  const traces: Json[] = [];
  if (series.bars_per_point > 1) {
    traces.push(
      line(series.time, series.equity_min, 'y3', colour, { line: { width: 0, color: colour } }),
      line(series.time, series.equity_max, 'y3', colour, { line: { width: 0, color: colour }, fill: 'tonexty', fillcolor: faint(colour, 0.18) }),
    );
  }
  traces.push(line(series.time, series.equity, 'y3', colour, { name }));
  return traces;
}

/** Stretches without bars, weekends above all, are left out of the axis; by their length, as plotly.js wants them. */
export function breaks(time: number[], pointMs: number): Json[] {
  const byLength = new Map<number, number[]>();
  for (let row = 1; row < time.length; ++row) {
    const begin = (time[row - 1] ?? 0) + pointMs;
    const length = (time[row] ?? 0) - begin;
    if (length < Math.max(6 * HOUR_MS, 2 * pointMs)) continue;
    byLength.set(length, [...(byLength.get(length) ?? []), begin]);
  }
  return [...byLength].map(([dvalue, values]) => ({ values, dvalue }));
}

const HOUR_MS = 3_600_000;

function shapes(view: SimFigure, palette: Colours): Json[] {
  const found: Json[] = view.bands.map((band) => ({
    type: 'rect', xref: 'x', yref: 'paper', x0: Date.parse(band.from), x1: Date.parse(band.to), y0: 0, y1: 1, layer: 'below',
    line: { width: 0 }, fillcolor: band.kind === 'holdout' ? palette.hold : palette.seen,
  }));
  found.push({ type: 'line', xref: 'paper', yref: 'y3', x0: 0, x1: 1, y0: view.capital, y1: view.capital, layer: 'below', line: { color: palette.muted, width: 1, dash: 'dot' } });
  if (view.trade) {
    const { from, to, entry, exit, long } = view.trade;
    const colour = long ? palette.buy : palette.sell;
    found.push(
      { type: 'rect', xref: 'x', yref: 'paper', x0: from, x1: to, y0: 0, y1: 1, layer: 'below', line: { width: 0 }, fillcolor: faint(colour, 0.12) },
      { type: 'line', xref: 'x', yref: 'y', x0: from, x1: to, y0: entry, y1: exit, line: { color: colour, width: 2, dash: 'dot' } },
    );
  }
  return found;
}

export function simFigure(view: SimFigure, palette: Colours): Figure {
  const { a, b } = view;
  const drawdown = (series: Series, colour: string, filled: boolean) =>
    line(series.time, series.drawdown, 'y4', colour, { line: { color: colour, width: filled ? 1 : 1.6 }, ...(filled ? { fill: 'tozeroy', fillcolor: faint(colour, 0.2) } : {}) });
  const data = [
    priceTrace(a, palette),
    ...markerTraces(a, palette),
    ...positionTraces(a, palette),
    ...(b ? [line(b.time, b.position, 'y2', palette.second, { line: { shape: 'hv', width: 1.2, color: palette.second } })] : []),
    ...equityTraces(a, palette.accent, view.names[0]),
    ...(b ? equityTraces(b, palette.second, view.names[1]) : []),
    drawdown(a, b ? palette.accent : palette.loss, true),
    ...(b ? [drawdown(b, palette.second, false)] : []),
  ];
  const side = (panel: keyof typeof PANELS, more: Json = {}) =>
    axis(palette, { domain: PANELS[panel], fixedrange: true, nticks: panel === 'price' ? 8 : 4, zeroline: false, ...more });
  const label = (panel: keyof typeof PANELS, text: string): Json => ({
    xref: 'paper', yref: 'paper', x: 0, y: PANELS[panel][1], xanchor: 'left', yanchor: 'bottom', text, showarrow: false,
    font: { size: 11, color: palette.muted }, bgcolor: palette.card, borderpad: 1, xshift: 2, yshift: -1,
  });
  return {
    data,
    layout: baseLayout(palette, {
      margin: { l: view.narrow ? 48 : 64, r: 10, t: 16, b: 26 }, hovermode: 'x', hoverdistance: 20, spikedistance: -1,
      xaxis: axis(palette, {
        type: 'date', range: view.range, anchor: 'y4', rangeslider: { visible: false }, showspikes: true, spikemode: 'across',
        spikethickness: 1, spikedash: 'solid', spikecolor: palette.muted, spikesnap: 'cursor', nticks: view.narrow ? 4 : 8, tickangle: 0, showgrid: true,
        rangebreaks: breaks(a.time, view.barMs * a.bars_per_point),
      }),
      yaxis: side('price', { tickformat: `.${Math.min(a.digits, view.narrow ? 4 : 5)}f` }),
      yaxis2: side('position', { tickformat: '~s', nticks: 3, zeroline: true }),
      yaxis3: side('equity', { tickformat: ',.0f' }),
      yaxis4: side('drawdown', { tickformat: '.1%', rangemode: 'tozero', zeroline: true }),
      shapes: shapes(view, palette),
      annotations: [label('price', 'Price'), label('position', 'Position, units'), label('equity', `Equity, ${view.currency}`), label('drawdown', 'Drawdown')],
    }),
  };
}

/** What the line above the chart says of the point under the cursor. */
export function readout(series: Series, row: number): string[] {
  const price = (value: number | undefined) => number(value, series.digits);
  const units = series.position[row] ?? 0;
  return [
    minute(series.time[row]),
    `O ${price(series.open[row])} H ${price(series.high[row])} L ${price(series.low[row])} C ${price(series.close[row])}`,
    units === 0 ? 'flat' : `${units > 0 ? 'long' : 'short'} ${count(Math.abs(units))}`,
    `equity ${money(series.equity[row])}`,
    `drawdown ${number((series.drawdown[row] ?? 0) * 100, 2)}%`,
  ];
}
