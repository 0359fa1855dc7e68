// A result in words: what was done, what it cost, and against the other one.
import type { Costs, Month, Result } from '../api/types';
import { tradingDate } from './dates';
import { count, money, monthName, percent } from './format';

/** Spread, slippage and commission, and what financing took: what trading cost, as a positive number. */
export function totalCost(parts: { spread: string; slippage: string; commission: string; financing: string; conversion_effect?: string }): number {
  return Number(parts.spread) + Number(parts.slippage) + Number(parts.commission) - Number(parts.financing) - Number(parts.conversion_effect ?? 0);
}

function earned(net: number, currency: string): string {
  if (Math.abs(net) < 0.005) return 'neither gained nor lost';
  return `${net > 0 ? 'gained' : 'lost'} ${money(Math.abs(net), currency)}`;
}

const plural = (number: number, word: string) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

/** "From 2017-03-01 to 2017-03-31 quickstart-eurusd:1 lost 12.30 USD (-0.12%) in 34 trades." */
export function headline(result: Result): string {
  const net = Number(result.costs.net);
  const capital = Number(result.capital);
  const part = capital > 0 ? ` (${percent(net / capital, 2, true)})` : '';
  const ruin = result.ruined ? ' It was ruined: trading stopped there.' : '';
  const closed = result.metrics?.find((metric) => metric.id.startsWith('trades.'))?.value ?? result.trades;
  const trades = closed < result.trades ? `${plural(closed, 'closed trade')} and one that is still open` : plural(result.trades, 'trade');
  // The last mark is at the close of its day: a moment before is still that day.
  const [from, to] = [tradingDate(Date.parse(result.from)), tradingDate(Date.parse(result.to) - 1)];
  return `From ${from} to ${to}, ${result.decider} ${earned(net, result.currency)}${part} in ${trades}.${ruin}`;
}

export function costSentence(costs: Costs): string {
  const before = Number(costs.mid_to_mid);
  const cost = totalCost(costs);
  const parts: string[] = [];
  const add = (name: string, value: number) => {
    if (Math.abs(value) >= 0.005) parts.push(`${name} ${money(value)}`);
  };
  add('spread', Number(costs.spread));
  add('slippage', Number(costs.slippage));
  add('commission', Number(costs.commission));
  const financing = Number(costs.financing);
  if (financing >= 0.005) parts.push(`financing paid in ${money(financing)}`);
  else add('financing', -financing);
  const conversion = Number(costs.conversion_effect);
  if (Math.abs(conversion) >= 0.005) add('conversion', -conversion);
  return `Before costs it made ${money(before, costs.currency, true)}; costs took ${money(cost, costs.currency)}${parts.length ? ` (${parts.join(', ')})` : ''}.`;
}

/** For one month of the table: what the agent did in March, and what it cost. */
export function monthSentence(month: Month, decider: string, currency: string): string {
  const net = Number(month.net);
  const part = month.return === null ? '' : ` (${percent(month.return, 2, true)})`;
  return `In ${monthName(month.month)}, ${decider} ${earned(net, currency)}${part}: ${plural(month.fills, 'order')} filled, ` +
    `${plural(month.trades_closed, 'trade')} closed, ${money(totalCost(month), currency)} of costs inside that.`;
}

/** Plain difference of two results; whether it is more than luck is the server's sentence. */
export function difference(a: Result, b: Result): string {
  if (a.currency !== b.currency) return '';
  const gap = Number(a.costs.net) - Number(b.costs.net);
  if (Math.abs(gap) < 0.005) return `${a.decider} and ${b.decider} ended equal.`;
  const better = gap > 0 ? a : b;
  const worse = gap > 0 ? b : a;
  return `${better.decider} ended ${money(Math.abs(gap), a.currency)} ahead of ${worse.decider}.`;
}

export interface MonthRow {
  month: string;
  a: Month | undefined;
  b: Month | undefined;
}

export function joinMonths(a: Month[], b: Month[]): MonthRow[] {
  const rows = new Map<string, MonthRow>();
  for (const month of a) rows.set(month.month, { month: month.month, a: month, b: undefined });
  for (const month of b) {
    const row = rows.get(month.month);
    if (row) row.b = month;
    else rows.set(month.month, { month: month.month, a: undefined, b: month });
  }
  return [...rows.values()].sort((x, y) => (x.month < y.month ? -1 : 1));
}

/** The share of a stretch that bands of a kind cover. */
export function coveredShare(bands: Result['bands'], kind: string, from: number, to: number): number {
  let covered = 0;
  for (const band of bands) {
    if (band.kind !== kind) continue;
    covered += Math.max(0, Math.min(to, Date.parse(band.to)) - Math.max(from, Date.parse(band.from)));
  }
  return to > from ? Math.min(1, covered / (to - from)) : 0;
}

/** Instants of a month of trading dates; a trading day begins at 17:00 New York the day before. */
export function monthWindow(month: string): { from: number; to: number } {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return { from: Date.UTC(year, number - 1, 1) - 3 * 3_600_000, to: Date.UTC(year, number, 1) - 2 * 3_600_000 };
}
