// Metrics with their definitions on hover, of one simulation or of two beside each other.
import { useMemo } from 'preact/hooks';
import { getDefinitions } from '../api/calls';
import type { Definition, Definitions, Metric, Result } from '../api/types';
import { byUnit, count, money, number, percent } from '../lib/format';
import { useResource } from '../lib/hooks';
import { totalCost } from '../lib/story';
import { Define } from './parts';

export interface Words {
  of: (id: string) => Definition | undefined;
  order: Map<string, number>;
  reasons: Definitions['reasons'];
}

export const keyOf = (id: string) => id.replace(/\.v\d+$/, '');

export function useWords(): Words {
  const definitions = useResource('definitions', () => getDefinitions());
  return useMemo(() => {
    const all = definitions.data?.definitions ?? [];
    const byKey = new Map(all.map((definition) => [definition.key, definition]));
    return {
      of: (id: string) => byKey.get(keyOf(id)),
      order: new Map(all.map((definition, row) => [definition.key, row])),
      reasons: definitions.data?.reasons ?? {},
    };
  }, [definitions.data]);
}

export function metricText(metric: Metric | undefined, words: Words, currency: string): string {
  if (!metric) return '–';
  return byUnit(metric.value, words.of(metric.id)?.unit, currency);
}

function intervalText(metric: Metric | undefined, words: Words, currency: string): string {
  if (!metric?.ci95) return '';
  const unit = words.of(metric.id)?.unit;
  return `95%: ${byUnit(metric.ci95[0], unit, currency)} to ${byUnit(metric.ci95[1], unit, currency)}`;
}

const find = (result: Result | undefined, key: string) => result?.metrics.find((metric) => keyOf(metric.id) === key);

const HEADLINE = ['total_return', 'sharpe', 'max_drawdown', 'trades', 'win_rate', 'profit_factor', 'exposure_time', 'vol_ann'];

export function HeadlineTiles(props: { a: Result; b?: Result | undefined; words: Words }) {
  const { a, b, words } = props;
  const cost = (result: Result) => totalCost(result.costs);
  const share = (result: Result) => (Number(result.capital) > 0 ? percent(Number(result.costs.net) / Number(result.capital), 2, true) : '');
  return (
    <dl class="tiles" data-testid="headline">
      <div class="tile">
        <dt><Define text={words.of('net_profit')?.text}>Net profit</Define></dt>
        <dd class={Number(a.costs.net) > 0 ? 'gain' : Number(a.costs.net) < 0 ? 'loss' : ''}>
          {money(Number(a.costs.net), '', true)}
          <span class="note">{a.currency}, {share(a)}</span>
          {b && <span class="other">{money(Number(b.costs.net), '', true)}</span>}
        </dd>
      </div>
      <div class="tile">
        <dt><Define text="Spread, slippage, commission, conversion and financing together: what lies between the result before costs and the net one.">All costs</Define></dt>
        <dd>{money(cost(a))}<span class="note">{a.currency}</span>{b && <span class="other">{money(cost(b))}</span>}</dd>
      </div>
      {HEADLINE.map((key) => {
        const metric = find(a, key);
        if (!metric) return null;
        const definition = words.of(metric.id);
        const reason = metric.reason ? words.reasons[metric.reason] ?? metric.reason : '';
        // The chart goes bar by bar and shows deeper ones than days do.
        const within = key === 'max_drawdown' ? find(a, 'max_drawdown_intrabar') : undefined;
        return (
          <div class="tile" key={key}>
            <dt><Define text={definition?.text}>{definition?.label ?? key}</Define></dt>
            <dd>
              {metricText(metric, words, '')}
              {reason && <span class="note">{reason}</span>}
              {within && <span class="note">{metricText(within, words, '')} within days</span>}
              {metric.ci95 && <span class="note">{intervalText(metric, words, '')}</span>}
              {b && <span class="other">{metricText(find(b, key), words, '')}</span>}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

export function AllMetrics(props: { a: Result; b?: Result | undefined; words: Words }) {
  const { a, b, words } = props;
  const groups = new Map<string, Metric[]>();
  const sorted = [...a.metrics].sort((x, y) => (words.order.get(keyOf(x.id)) ?? 1e9) - (words.order.get(keyOf(y.id)) ?? 1e9));
  for (const metric of sorted) {
    const group = words.of(metric.id)?.group ?? 'Other';
    groups.set(group, [...(groups.get(group) ?? []), metric]);
  }
  return (
    <details class="card">
      <summary><h2 class="inline">All {count(a.metrics.length)} metrics</h2></summary>
      <div class="grid metric-groups">
        {[...groups].map(([group, metrics]) => (
          <div key={group}>
            <h3>{group}</h3>
            <table>
              <thead class="visually-hidden"><tr><th>Metric</th><th>{a.decider}</th>{b && <th>{b.decider}</th>}</tr></thead>
              <tbody>
                {metrics.map((metric) => {
                  const definition = words.of(metric.id);
                  const notes = [definition?.text, intervalText(metric, words, a.currency), `${count(metric.n)} observations`, metric.warn.length ? `Mind: ${metric.warn.join(', ')}` : '', metric.reason ? `No value: ${words.reasons[metric.reason] ?? metric.reason}` : '']
                    .filter(Boolean).join('\n');
                  return (
                    <tr key={metric.id}>
                      <td class="wrap"><Define text={notes}>{definition?.label ?? metric.id}</Define></td>
                      <td class="num">{metricText(metric, words, '')}</td>
                      {b && <td class="num second">{metricText(find(b, keyOf(metric.id)), words, '')}</td>}
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        ))}
      </div>
    </details>
  );
}

/** From the result at mid prices down to the net one. */
export function CostTable(props: { a: Result; b?: Result | undefined }) {
  const { a, b } = props;
  const rows: [string, string, (result: Result) => number][] = [
    ['Before costs', 'What the trades made at mid prices, without any cost.', (result) => Number(result.costs.mid_to_mid)],
    ['Spread', 'Half of the distance between bid and ask at each fill.', (result) => -Number(result.costs.spread)],
    ['Slippage', 'What fills were worse than the quote, as the cost model has it.', (result) => -Number(result.costs.slippage)],
    ['Commission', 'Charged by the venue on each fill.', (result) => -Number(result.costs.commission)],
    ['Financing', 'Interest on positions held over 17:00 New York, by value date; a plus sign is interest received.', (result) => Number(result.costs.financing)],
    ['Conversion', 'What converting profits into the account currency took.', (result) => Number(result.costs.conversion_effect)],
  ];
  const shown = rows.filter(([name, , value], row) => row === 0 || name === 'Spread' || value(a) !== 0 || (b && value(b) !== 0));
  const largest = Math.max(1e-9, ...shown.map(([, , value]) => Math.abs(value(a))), Math.abs(Number(a.costs.net)));
  const bar = (value: number) => <span class={`bar ${value < 0 ? 'neg' : 'pos'}`} style={{ width: `${(Math.abs(value) / largest) * 100}%` }} />;
  return (
    <table class="costs">
      <thead>
        <tr><th scope="col">{a.currency}</th><th scope="col" class="num wrap">{b ? a.decider : 'Amount'}</th>{!b && <th scope="col" class="bars"><span class="visually-hidden">Size</span></th>}{b && <th scope="col" class="num wrap second">{b.decider}</th>}</tr>
      </thead>
      <tbody>
        {shown.map(([name, text, value]) => (
          <tr key={name}>
            <td><Define text={text}>{name}</Define></td>
            <td class="num">{money(value(a), '', true)}</td>
            {!b && <td class="bars">{bar(value(a))}</td>}
            {b && <td class="num second">{money(value(b), '', true)}</td>}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr><th scope="row">Net</th><td class="num">{money(Number(a.costs.net), '', true)}</td>{!b && <td class="bars">{bar(Number(a.costs.net))}</td>}{b && <td class="num second">{money(Number(b.costs.net), '', true)}</td>}</tr>
      </tfoot>
    </table>
  );
}

export function CountsLine(props: { result: Result }) {
  const { counts } = props.result;
  const items: [number, string, string][] = [
    [counts.stop_losses, 'stop losses', 'Trades that ended at their stop.'],
    [counts.take_profits, 'take profits', 'Trades that ended at their target.'],
    [counts.stop_outs, 'margin stop-outs', 'Positions that the venue closed because the margin ran out.'],
    [counts.margin_warnings, 'margin warnings', 'Times the margin level fell below the warning level.'],
    [counts.lapsed_decisions, 'lapsed decisions', 'Decisions whose bar never came, because data were missing or the market closed.'],
    [counts.ambiguous_bars, 'ambiguous bars', 'Bars in which two orders could have been met first; the worse path was taken.'],
  ];
  const there = items.filter(([value]) => value > 0);
  if (!there.length) return null;
  return (
    <p class="small muted">
      {there.map(([value, label, text], row) => <>{row > 0 && ', '}{number(value, 0)} <Define text={text}>{label}</Define></>)}
    </p>
  );
}
