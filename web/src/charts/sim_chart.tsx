// The chart with its tools: windows come from the server, merged to what the screen can show.
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { getSeries } from '../api/calls';
import { saveBlob } from '../api/http';
import type { Result, Series, Trade } from '../api/types';
import { lowerBound } from '../lib/decimate';
import { barMs, clampSpan, isWhole, lastDays, panSpan, plotlyInstant, relayoutSpan, zoomSpan, type Span } from '../lib/window';
import { Problem } from '../ui/parts';
import { loadPlotly, Plot } from './plot';
import { readout, simFigure } from './sim_figure';

export interface SimChartProps {
  a: Result;
  b?: Result | undefined;
  span: Span | undefined;
  onSpan: (span: Span | undefined) => void;
  trade?: Trade | undefined;
  onMoment?: ((ms: number) => void) | undefined;
  pictureName: string;
  /** What the lines are called; the models when absent. */
  names?: [string, string] | undefined;
}

interface Loaded {
  a: Series;
  b: Series | undefined;
  span: Span;
  turn: number;
}

export function limitsOf(a: Result, b?: Result): Span {
  const bar = barMs(a.freq);
  const from = Math.min(Date.parse(a.from), b ? Date.parse(b.from) : Infinity);
  const to = Math.max(Date.parse(a.to), b ? Date.parse(b.to) : -Infinity);
  return { from, to: Math.max(to, from + bar) };
}

/** A candle is a body and a gap: closer than three pixels they are a smear, which takes twice as long to draw. */
function pointsFor(width: number): number {
  return Math.max(120, Math.min(900, Math.round((width || 900) / 3)));
}

const STEPS: [string, number][] = [['1 d', 1], ['1 w', 7], ['1 mo', 31], ['3 mo', 92], ['1 y', 366]];

export function SimChart(props: SimChartProps) {
  const { a, b } = props;
  const names: [string, string] = props.names ?? [a.decider, b?.decider ?? ''];
  const box = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const [loaded, setLoaded] = useState<Loaded>();
  const [error, setError] = useState<unknown>();
  const limits = useMemo(() => limitsOf(a, b), [a, b]);
  const bar = barMs(a.freq);
  const span = useMemo(() => clampSpan(props.span ?? limits, limits, bar * 12), [props.span, limits, bar]);
  const narrow = typeof innerWidth === 'number' && innerWidth < 760;
  const height = narrow ? 560 : 680;

  useEffect(() => {
    const stop = new AbortController();
    const begin = performance.now();
    // A bar more on either side, so that lines reach the edges.
    const window = { ...(isWhole(span, limits) ? {} : { from: span.from - bar, to: span.to + bar }), maxPoints: pointsFor(box.current?.clientWidth ?? 900) };
    Promise.all([getSeries(a.id, window, stop.signal), b ? getSeries(b.id, window, stop.signal) : undefined]).then(
      ([first, second]) => {
        setError(undefined);
        performance.measure('series', { start: begin, end: performance.now() });
        setLoaded((now) => ({ a: first, b: second, span, turn: (now?.turn ?? 0) + 1 }));
      },
      (reason) => { if (!stop.signal.aborted) setError(reason); },
    );
    return () => stop.abort();
  }, [a.id, b?.id, span.from, span.to]);

  const go = useCallback((next: Span) => {
    const clamped = clampSpan(next, limits, bar * 12);
    props.onSpan(isWhole(clamped, limits) ? undefined : clamped);
  }, [limits, bar, props.onSpan]);

  const onKey = (event: KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowLeft: () => go(panSpan(span, event.shiftKey ? -1 : -0.25)), ArrowRight: () => go(panSpan(span, event.shiftKey ? 1 : 0.25)),
      '+': () => go(zoomSpan(span, 0.5)), '=': () => go(zoomSpan(span, 0.5)), '-': () => go(zoomSpan(span, 2)), '0': () => go(limits), Home: () => go(limits),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  };

  const picture = async () => {
    const element = box.current?.querySelector<HTMLElement>('.js-plotly-plot');
    if (!element) return;
    const plotly = await loadPlotly();
    const background = getComputedStyle(document.documentElement).getPropertyValue('--card').trim();
    await plotly.relayout(element, { paper_bgcolor: background });
    const url = await plotly.toImage(element, { format: 'png', width: 1400, height: 800, scale: 1 });
    await plotly.relayout(element, { paper_bgcolor: 'rgba(0,0,0,0)' });
    const bytes = Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (sign) => sign.charCodeAt(0));
    saveBlob(new Blob([bytes], { type: 'image/png' }), `${props.pictureName}.png`);
  };

  const say = (ms: number | undefined) => {
    if (!line.current || !loaded) return;
    const row = ms === undefined ? loaded.a.time.length - 1 : Math.max(0, Math.min(loaded.a.time.length - 1, lowerBound(loaded.a.time, ms + 1) - 1));
    line.current.replaceChildren(...readout(loaded.a, row).map((part) => {
      const item = document.createElement('span');
      item.textContent = part;
      return item;
    }));
  };
  useEffect(() => say(undefined), [loaded?.turn]);
  // Handlers of the plot are bound once and must see the latest state.
  const handlers = useRef({ go, say, limits });
  handlers.current = { go, say, limits };

  const trade = props.trade;
  const version = loaded ? `${loaded.turn}:${trade?.index ?? ''}` : '';
  if (error && !loaded) return <Problem error={error} />;
  return (
    <div ref={box}>
      <div class="card-head">
        <div class="legend" aria-hidden="true">
          <span><b class="buy-mark">▲</b>bought</span>
          <span><b class="sell-mark">▼</b>sold</span>
          {a.bands.some((band) => band.kind === 'trained') && <span><b class="seen-mark" />learned from</span>}
          {a.bands.some((band) => band.kind === 'holdout') && <span><b class="hold-mark" />holdout</span>}
          {b && <span><i />{names[0]}</span>}
          {b && <span><i class="second-mark" />{names[1]}</span>}
        </div>
        <div class="tools" role="group" aria-label="Chart">
          {STEPS.filter(([, days]) => days * 86_400_000 < (limits.to - limits.from) * 0.9).map(([label, days]) => (
            <button key={label} type="button" class="button tiny" onClick={() => go(lastDays(span, days))}>{label}</button>
          ))}
          <button type="button" class="button tiny" onClick={() => go(limits)} disabled={isWhole(span, limits)}>All</button>
          <button type="button" class="button tiny" aria-label="Earlier" onClick={() => go(panSpan(span, -0.5))}>←</button>
          <button type="button" class="button tiny" aria-label="Later" onClick={() => go(panSpan(span, 0.5))}>→</button>
          <button type="button" class="button tiny" aria-label="Zoom in" onClick={() => go(zoomSpan(span, 0.5))}>+</button>
          <button type="button" class="button tiny" aria-label="Zoom out" onClick={() => go(zoomSpan(span, 2))}>−</button>
          <button type="button" class="button tiny" onClick={() => void picture()}>Picture</button>
        </div>
      </div>
      <div class="readout" ref={line} aria-hidden="true" />
      <div tabIndex={0} role="group" aria-label="Chart of the simulation. Arrow keys move, plus and minus zoom, 0 shows all." onKeyDown={onKey} data-drawn={loaded?.turn ?? 0} data-points={loaded?.a.time.length ?? 0} data-from={loaded?.span.from} data-to={loaded?.span.to}>
        {loaded ? (
          <Plot
            label={`Price with fills, position, equity and drawdown of ${a.decider}`}
            version={version}
            height={height}
            figure={(palette) => {
              const figure = simFigure({
                a: loaded.a, b: loaded.b, names, bands: a.bands, currency: a.currency, capital: Number(a.capital),
                range: [loaded.span.from, loaded.span.to], narrow, barMs: bar,
                trade: trade && { from: Date.parse(trade.entry_time), to: Date.parse(trade.exit_time), entry: trade.entry_price, exit: trade.exit_price, long: trade.direction === 'long' },
              }, palette);
              if (narrow) figure.layout.dragmode = false;
              return figure;
            }}
            onRelayout={(change) => {
              const next = relayoutSpan(change);
              if (next === 'reset') go(limits);
              else if (next) go(next);
            }}
            onClick={(event) => props.onMoment?.(plotlyInstant(event.points?.[0]?.x))}
            onReady={(element) => {
              const plot = element as HTMLElement & { on: (name: string, handler: (event: any) => void) => void };
              plot.on('plotly_doubleclick', () => handlers.current.go(handlers.current.limits));
              plot.on('plotly_hover', (event) => handlers.current.say(plotlyInstant(event.xvals?.[0] ?? event.points?.[0]?.x)));
              plot.on('plotly_unhover', () => handlers.current.say(undefined));
            }}
            onDrawn={(ms) => {
              box.current?.setAttribute('data-drawn-ms', ms.toFixed(0));
              box.current?.setAttribute('data-painted', String(loaded.turn));
            }}
          />
        ) : <div class="plot" style={{ height: `${height}px` }}><div class="skeleton" /></div>}
      </div>
      {Boolean(error) && <Problem error={error} />}
      <p class="plot-keys">
        {loaded && loaded.a.bars_per_point > 1 ? `Each candle is ${loaded.a.bars_per_point} bars; zoom in for single ones. ` : ''}
        {narrow ? 'Times are UTC.' : 'Drag to zoom, double-click for all; with the keyboard: arrows, + − and 0. Times are UTC.'}
      </p>
    </div>
  );
}
