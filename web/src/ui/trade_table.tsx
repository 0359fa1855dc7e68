// The round trips of a simulation: sorted, filtered and paged by the server; a click shows one in the chart.
import { useEffect, useState } from 'preact/hooks';
import { listTrades } from '../api/calls';
import type { Result, Trade } from '../api/types';
import { useResource } from '../lib/hooks';
import { count, duration, minute, money, number, signed } from '../lib/format';
import { barMs, type Span } from '../lib/window';
import { Badge, Gain, Problem } from './parts';
import { SortHead, type Sort } from './table';

const PAGE = 25;
const REASONS: Record<string, string> = {
  decision: 'decision', stop_loss: 'stop loss', take_profit: 'take profit', stop_out: 'margin stop-out', open: 'still open',
};

/** What matters most comes first: a phone shows three columns, the rest is a swipe away. */
const COLUMNS: { id: string; head: string; num: boolean; sort: boolean }[] = [
  { id: 'entry_time', head: 'Entry', num: false, sort: true },
  { id: 'direction', head: 'Side', num: false, sort: false },
  { id: 'net', head: 'Net', num: true, sort: true },
  { id: 'pips', head: 'Pips', num: true, sort: true },
  { id: 'exit_time', head: 'Exit', num: false, sort: true },
  { id: 'units', head: 'Units', num: true, sort: true },
  { id: 'entry_price', head: 'In', num: true, sort: false },
  { id: 'exit_price', head: 'Out', num: true, sort: false },
  { id: 'costs', head: 'Costs', num: true, sort: true },
  { id: 'financing', head: 'Financing', num: true, sort: true },
  { id: 'mae', head: 'Worst', num: true, sort: true },
  { id: 'mfe', head: 'Best', num: true, sort: true },
  { id: 'bars_held', head: 'Held', num: true, sort: true },
  { id: 'exit_reason', head: 'Ended by', num: false, sort: false },
];

/** So that the sum is the one of the costs above. */
function financingText(financing: number): string {
  if (Math.abs(financing) < 0.005) return '';
  return financing < 0 ? ` and financing ${money(-financing)}` : ` less financing received ${money(financing)}`;
}

export function TradeTable(props: { result: Result; span: Span | undefined; selected: Trade | undefined; onTrade: (trade: Trade | undefined) => void }) {
  const { result } = props;
  const [sort, setSort] = useState<Sort>({ by: 'entry_time', descending: false });
  const [direction, setDirection] = useState('');
  const [outcome, setOutcome] = useState('');
  const [reason, setReason] = useState('');
  const [inView, setInView] = useState(true);
  const [offset, setOffset] = useState(0);
  const window = inView ? props.span : undefined;
  const key = [result.id, sort.by, sort.descending, direction, outcome, reason, window?.from, window?.to].join('|');
  useEffect(() => setOffset(0), [key]);
  const page = useResource(`${key}|${offset}`, (signal) => listTrades(result.id, {
    sort: sort.by, descending: sort.descending, direction, outcome, exitReason: reason, from: window?.from, to: window?.to, offset, limit: PAGE,
  }, signal));
  const data = page.data;
  const digits = result.digits;
  const choice = (label: string, value: string, set: (value: string) => void, options: [string, string][]) => (
    <label class="choice"><span class="visually-hidden">{label}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        {options.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
      </select>
    </label>
  );
  return (
    <section class="card" id="trades">
      <div class="card-head">
        <h2>Trades</h2>
        {data && <span class="muted small">{count(data.total)} shown: net <Gain value={Number(data.sums.net)}>{money(Number(data.sums.net), result.currency, true)}</Gain>, costs {money(Number(data.sums.costs))}{financingText(Number(data.sums.financing))}, {count(data.sums.wins)} won, {count(data.sums.losses)} lost</span>}
        <div class="tools">
          {choice('Side', direction, setDirection, [['', 'Both sides'], ['long', 'Long'], ['short', 'Short']])}
          {choice('Outcome', outcome, setOutcome, [['', 'All outcomes'], ['win', 'Won'], ['loss', 'Lost'], ['flat', 'Neither']])}
          {choice('Ended by', reason, setReason, [['', 'Ended by anything'], ...Object.entries(REASONS)] as [string, string][])}
          <label class="check"><input type="checkbox" checked={inView} onChange={(event) => setInView(event.currentTarget.checked)} />only what the chart shows</label>
        </div>
      </div>
      {Boolean(page.error) && <Problem error={page.error} retry={page.reload} />}
      {data && data.total === 0 && <p class="muted">No trades {result.trades === 0 ? 'in this simulation: the agent stayed flat, or its orders were too small for a lot' : 'fit these filters'}.</p>}
      {data && data.total > 0 && (
        <div class={`scroll ${page.loading ? 'busy' : ''}`} tabIndex={0} role="region" aria-label="Trades">
          <table>
            <thead>
              <tr>{COLUMNS.map((column) => <SortHead key={column.id} id={column.id} head={column.head} num={column.num} sort={sort} onSort={column.sort ? setSort : undefined} />)}</tr>
            </thead>
            <tbody>
              {data.trades.map((trade) => {
                const selected = props.selected?.index === trade.index;
                return (
                  <tr key={trade.index} class={`clickable ${selected ? 'selected' : ''}`} onClick={() => props.onTrade(selected ? undefined : trade)}>
                    <td><button type="button" class="link" aria-pressed={selected} onClick={(event) => { event.stopPropagation(); props.onTrade(selected ? undefined : trade); }}>{minute(trade.entry_time)}</button></td>
                    <td><Badge tone={trade.direction === 'long' ? 'info' : 'warn'}>{trade.direction === 'long' ? '▲ long' : '▼ short'}</Badge></td>
                    <td class="num"><Gain value={Number(trade.net)}>{money(Number(trade.net), '', true)}</Gain></td>
                    <td class="num">{signed(trade.pips, 1)}</td>
                    <td>{trade.exit_reason === 'open' ? 'open' : minute(trade.exit_time)}</td>
                    <td class="num">{count(trade.units)}</td>
                    <td class="num">{number(trade.entry_price, digits)}</td>
                    <td class="num">{number(trade.exit_price, digits)}</td>
                    <td class="num">{money(Number(trade.costs))}</td>
                    <td class="num">{money(Number(trade.financing), '', true)}</td>
                    <td class="num">{money(Number(trade.mae))}</td>
                    <td class="num">{money(Number(trade.mfe))}</td>
                    <td class="num">{duration((trade.bars_held * barMs(result.freq)) / 1000)}</td>
                    <td>{REASONS[trade.exit_reason] ?? trade.exit_reason}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {data && data.total > PAGE && (
        <div class="pager">
          <span class="muted">{count(offset + 1)} to {count(Math.min(offset + PAGE, data.total))} of {count(data.total)}</span>
          <button type="button" class="button tiny" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))}>Earlier page</button>
          <button type="button" class="button tiny" disabled={offset + PAGE >= data.total} onClick={() => setOffset(offset + PAGE)}>Next page</button>
        </div>
      )}
    </section>
  );
}
