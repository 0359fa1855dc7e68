// plotly.js behind one component. It is a large script: fetched when the first chart is shown, then kept.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useDark } from '../lib/hooks';
import { colours, type Colours } from './theme';

export type Json = Record<string, unknown>;
type Plotly = (typeof import('plotly.js-strict-dist-min'))['default'];

let loading: Promise<Plotly> | undefined;
export function loadPlotly(): Promise<Plotly> {
  loading ??= import('plotly.js-strict-dist-min').then((module) => module.default);
  return loading;
}

export interface Figure {
  data: Json[];
  layout: Json;
}

export interface PlotProps {
  /** Built again when `version` or the theme changes. */
  figure: (colours: Colours) => Figure;
  version: unknown;
  height: number;
  label: string;
  onRelayout?: (change: Json) => void;
  onClick?: (event: any) => void;
  onSelectAxis?: (event: any) => void;
  onReady?: (element: HTMLElement, plotly: Plotly) => void;
  onDrawn?: (ms: number) => void;
}

const CONFIG: Json = { displayModeBar: false, displaylogo: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const dark = useDark();
  const [failed, setFailed] = useState<unknown>();
  const [drawn, setDrawn] = useState(false);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    let gone = false;
    const element = box.current;
    if (!element) return undefined;
    loadPlotly().then(async (plotly) => {
      if (gone) return;
      const begin = performance.now();
      const palette = colours();
      const figure = latest.current.figure(palette);
      const known = element.classList.contains('js-plotly-plot');
      const layout = { ...figure.layout, width: element.clientWidth, height: latest.current.height };
      const plot = await plotly.react(element, figure.data, layout, CONFIG);
      if (gone) return;
      setDrawn(true);
      latest.current.onDrawn?.(performance.now() - begin);
      if (known) return;
      plot.on('plotly_relayout', (change) => latest.current.onRelayout?.(change));
      plot.on('plotly_click', (event) => latest.current.onClick?.(event));
      plot.on('plotly_restyle', (event) => latest.current.onSelectAxis?.(event));
      latest.current.onReady?.(element, plotly);
    }).catch((error) => { if (!gone) setFailed(error); });
    return () => { gone = true; };
  }, [props.version, dark, props.height]);

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let width = element.clientWidth;
    const watch = new ResizeObserver(() => {
      if (element.clientWidth === width || element.clientWidth === 0) return;
      width = element.clientWidth;
      if (element.classList.contains('js-plotly-plot')) {
        loadPlotly().then((plotly) => plotly.relayout(element, { width }).catch(() => undefined));
      }
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      loading?.then((plotly) => plotly.purge(element));
    };
  }, []);

  if (failed) return <p class="loss">The chart could not be drawn: {String((failed as Error).message ?? failed)}</p>;
  return (
    <div class="plot" style={{ height: `${props.height}px` }}>
      {!drawn && <div class="skeleton" />}
      <div ref={box} role="img" aria-label={props.label} style={{ height: `${props.height}px` }} />
    </div>
  );
}
