// Colours of the style sheet for the charts, and what all charts share.

export interface Colours {
  text: string; muted: string; line: string; grid: string; card: string; raised: string;
  accent: string; second: string; gain: string; loss: string; buy: string; sell: string; price: string;
  up: string; down: string; hold: string; seen: string; warn: string;
}

const NAMES: (keyof Colours)[] = [
  'text', 'muted', 'line', 'grid', 'card', 'raised', 'accent', 'second', 'gain', 'loss', 'buy', 'sell', 'price', 'up', 'down', 'hold', 'seen', 'warn',
];

export function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as unknown as Colours;
}

/** Lines of many runs: told apart by colour first, then by dash. */
const LIGHT = ['#0b5cad', '#8a4b9c', '#b1470b', '#0a6b3d', '#8a5a00', '#9c3d63', '#2b6f77', '#5b5bd6'];
const DARK = ['#6cb4ff', '#d09cf0', '#ffae70', '#5fd394', '#e0b050', '#f09ab8', '#73c8d2', '#a5a5ff'];
const DASHES = ['solid', 'dash', 'dot', 'dashdot'];

export function lineStyle(index: number): { color: string; dash: string; width: number } {
  const set = document.documentElement.dataset.theme === 'dark' ? DARK : LIGHT;
  return { color: set[index % set.length] as string, dash: DASHES[Math.floor(index / set.length) % DASHES.length] as string, width: 1.6 };
}

export function axis(palette: Colours, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    gridcolor: palette.grid, linecolor: palette.line, zerolinecolor: palette.line, tickcolor: palette.line,
    tickfont: { color: palette.muted, size: 11 }, title: { font: { color: palette.muted, size: 11 } },
    automargin: false, fixedrange: false, ...more,
  };
}

export function baseLayout(palette: Colours, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', showlegend: false, autosize: false,
    font: { family: 'system-ui, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif', size: 12, color: palette.text },
    hoverlabel: { bgcolor: palette.raised, bordercolor: palette.line, font: { color: palette.text, size: 12 }, align: 'left' },
    margin: { l: 62, r: 14, t: 8, b: 28 }, dragmode: 'zoom', ...more,
  };
}
