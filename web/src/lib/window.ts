// The stretch of time that a chart shows, and how keys and buttons move it.

export interface Span {
  from: number;
  to: number;
}

/** At least this wide: closer than a few bars there is nothing to see. */
export function clampSpan(span: Span, limits: Span, minimum: number): Span {
  const whole = limits.to - limits.from;
  const width = Math.min(whole, Math.max(minimum, span.to - span.from));
  let from = (span.from + span.to) / 2 - width / 2;
  from = Math.max(limits.from, Math.min(from, limits.to - width));
  return { from, to: from + width };
}

export function zoomSpan(span: Span, factor: number, center = (span.from + span.to) / 2): Span {
  return { from: center - (center - span.from) * factor, to: center + (span.to - center) * factor };
}

export function panSpan(span: Span, share: number): Span {
  const shift = (span.to - span.from) * share;
  return { from: span.from + shift, to: span.to + shift };
}

/** The last stretch of so many days that ends where the span ends. */
export function lastDays(span: Span, days: number): Span {
  return { from: span.to - days * 86_400_000, to: span.to };
}

export function isWhole(span: Span, limits: Span): boolean {
  const slack = (limits.to - limits.from) * 1e-3;
  return span.from <= limits.from + slack && span.to >= limits.to - slack;
}

/** plotly.js tells ranges of date axes as UTC texts without a zone, or as numbers. */
export function plotlyInstant(value: unknown): number {
  if (typeof value === 'number') return value;
  return Date.parse(`${String(value).replace(' ', 'T')}${/T|\s/.test(String(value)) ? '' : 'T00:00:00'}Z`);
}

/** The new range in what `plotly_relayout` tells; "reset" after a double click; undefined when the range did not change. */
export function relayoutSpan(change: Record<string, unknown>): Span | 'reset' | undefined {
  if (change['xaxis.autorange'] === true) return 'reset';
  const pair = change['xaxis.range'] as unknown[] | undefined;
  const from = pair ? pair[0] : change['xaxis.range[0]'];
  const to = pair ? pair[1] : change['xaxis.range[1]'];
  if (from === undefined || to === undefined) return undefined;
  const span = { from: plotlyInstant(from), to: plotlyInstant(to) };
  return Number.isFinite(span.from) && Number.isFinite(span.to) ? span : undefined;
}

const BAR_MS: Record<string, number> = { day: 86_400_000, week: 604_800_000 };

/** Length of a bar: "60min", "day", "week". */
export function barMs(freq: string): number {
  return BAR_MS[freq] ?? (Number(/^(\d+)min$/.exec(freq)?.[1] ?? 60)) * 60_000;
}
