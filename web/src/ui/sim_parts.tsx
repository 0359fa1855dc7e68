// Parts of the page of a simulation: what is running, the result in words, months and costs.
import { useState } from 'preact/hooks';
import { download } from '../api/http';
import type { Comparison, ModelVersion, ModelVersionDetail, Month, Result, Simulation } from '../api/types';
import { count, money, monthName, percent } from '../lib/format';
import { coveredShare, costSentence, difference, headline, joinMonths, monthSentence, monthWindow, totalCost } from '../lib/story';
import { CostTable, CountsLine } from './metrics';
import { Badge, Card, Gain, ProgressBar } from './parts';
import { Table, type Column } from './table';
import { toast } from './toast';
import { VerdictBadge } from './verdict';

const PHASES: Record<Simulation['progress']['phase'], string> = {
  waiting: 'Waiting for its turn', loading: 'Loading bars and features', trading: 'Trading bar by bar', measuring: 'Measuring', ended: 'Done',
};

export function Running(props: { simulation: Simulation | undefined; name: string }) {
  const progress = props.simulation?.progress;
  const trading = progress?.phase === 'trading' && progress.total > 0;
  return (
    <div class="card" role="status">
      <p>{props.simulation?.decider ?? props.name}: {progress ? PHASES[progress.phase] : 'Asking the server'}{trading ? `, ${count(progress.done)} of ${count(progress.total)} bars` : ''}</p>
      <ProgressBar label="Progress of the simulation" fraction={trading ? progress.done / progress.total : undefined} />
    </div>
  );
}

async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    toast('The link is copied. It holds the model, the period and the costs, not the token.');
  } catch {
    toast('The address bar holds the link.');
  }
}

export function Lead(props: {
  result: Result; other: Result | undefined; comparison: Comparison | undefined; detail: ModelVersionDetail | undefined; version: ModelVersion | undefined; month: string;
}) {
  const { result, other } = props;
  const [problem, setProblem] = useState('');
  const from = Date.parse(result.from);
  const to = Date.parse(result.to);
  const seen = coveredShare(result.bands, 'trained', from, to);
  const notes = result.notes.filter((note) => seen === 0 || !note.startsWith('In sample'));
  const base = `${result.decider.replace(/[^\w.-]+/g, '-')}-${result.from.slice(0, 10)}`;
  const file = (name: string, label: string) => (
    <button type="button" class="button tiny" onClick={() => download(`simulations/${result.id}/files/${name}`, {}, `${base}-${name}`).catch((error) => setProblem(String(error.message)))}>{label}</button>
  );
  const chosen = result.months.find((each) => each.month === props.month);
  const chosenOther = other?.months.find((each) => each.month === props.month);
  return (
    <Card class="lead-card" tools={(
      <>
        {file('report.html', 'Report')}
        {file('trades.csv', 'Trades')}
        {file('equity.csv', 'Equity')}
        <button type="button" class="button tiny" onClick={() => void copyLink()}>Copy link</button>
      </>
    )} title={<span class="muted small">{result.instrument} {result.freq}, {count(result.bars)} bars</span>}>
      <p class="lead" data-testid="headline-sentence">{headline(result)}</p>
      <p>{costSentence(result.costs)}</p>
      {other && (
        <p data-testid="comparison">
          <strong>{difference(result, other)}</strong> {props.comparison?.sentence ?? ''}
        </p>
      )}
      {chosen && (
        <p class="chosen-month" data-testid="month-sentence">
          <strong>{monthSentence(chosen, result.decider, result.currency)}</strong>
          {chosenOther && other && <> {monthSentence(chosenOther, other.decider, result.currency)}</>}
        </p>
      )}
      {seen > 0 && (
        <p class="small trust" data-testid="trust">
          <Badge tone="warn">learned from</Badge> {seen > 0.995 ? 'The model learned from this very period' : `The model learned from ${percent(seen, 0)} of this period`}: it shows what the agent does, not what it is worth.
          {props.version?.verdict && <> On bars that it had not seen: <VerdictBadge verdict={props.version.verdict} /></>}
          {props.detail?.verdict_text && <> {props.detail.verdict_text.split('\n')[0]}</>}
        </p>
      )}
      {notes.length > 0 && <ul class="small muted notes">{notes.map((note) => <li key={note}>{note}</li>)}</ul>}
      <CountsLine result={result} />
      {problem && <p class="loss" role="alert">{problem}</p>}
    </Card>
  );
}

function monthColumns(result: Result, other: Result | undefined, month: string, onMonth: (month: string) => void): Column<ReturnType<typeof joinMonths>[number]>[] {
  type Row = ReturnType<typeof joinMonths>[number];
  const net = (row: Month | undefined) => (row ? Number(row.net) : undefined);
  const sum = (value: (month: Month) => number) => result.months.reduce((total, each) => total + value(each), 0);
  const columns: Column<Row>[] = [
    {
      id: 'month', head: 'Month', value: (row) => row.month, foot: 'Together',
      cell: (row) => {
        const { from, to } = monthWindow(row.month);
        return (
          <>
            <button type="button" class="link" aria-pressed={row.month === month} onClick={() => onMonth(row.month === month ? '' : row.month)}>{monthName(row.month)}</button>{' '}
            {coveredShare(result.bands, 'holdout', from, to) > 0 && <Badge tone="info">holdout</Badge>}
          </>
        );
      },
    },
    { id: 'net', head: other ? result.decider : 'Net', wrapHead: true, num: true, value: (row) => net(row.a), cell: (row) => <Gain value={net(row.a)}>{money(net(row.a), '', true)}</Gain>, foot: money(sum((each) => Number(each.net)), '', true) },
  ];
  if (other) {
    columns.push(
      { id: 'net-b', head: <span class="second">{other.decider}</span>, wrapHead: true, num: true, value: (row) => net(row.b), cell: (row) => <Gain value={net(row.b)}>{money(net(row.b), '', true)}</Gain>, foot: money(other.months.reduce((total, each) => total + Number(each.net), 0), '', true) },
      { id: 'gap', head: 'First less second', wrapHead: true, num: true, value: (row) => (row.a && row.b ? Number(row.a.net) - Number(row.b.net) : null), cell: (row) => (row.a && row.b ? money(Number(row.a.net) - Number(row.b.net), '', true) : '–') },
      { id: 'costs', head: 'Costs of the first', wrapHead: true, num: true, value: (row) => row.a && totalCost(row.a), cell: (row) => money(row.a && totalCost(row.a)), foot: money(sum(totalCost)) },
      { id: 'costs-b', head: 'Costs of the second', wrapHead: true, num: true, value: (row) => row.b && totalCost(row.b), cell: (row) => money(row.b && totalCost(row.b)), foot: money(other.months.reduce((total, each) => total + totalCost(each), 0)) },
    );
  } else {
    columns.push(
      { id: 'return', head: 'Return', num: true, value: (row) => row.a?.return, cell: (row) => percent(row.a?.return, 2, true) },
      { id: 'costs', head: 'Costs', num: true, value: (row) => row.a && totalCost(row.a), cell: (row) => money(row.a && totalCost(row.a)), foot: money(sum(totalCost)) },
      { id: 'financing', head: 'of it financing', wrapHead: true, num: true, value: (row) => row.a && -Number(row.a.financing), cell: (row) => money(row.a && -Number(row.a.financing)), foot: money(sum((each) => -Number(each.financing))) },
      { id: 'trades', head: 'Trades', num: true, value: (row) => row.a?.trades_closed, cell: (row) => count(row.a?.trades_closed), foot: count(sum((each) => each.trades_closed)) },
    );
  }
  return columns;
}

export function MonthsAndCosts(props: { result: Result; other: Result | undefined; month: string; onMonth: (month: string) => void }) {
  const { result, other } = props;
  const rows = joinMonths(result.months, other?.months ?? []);
  return (
    <div class={other ? 'stack' : 'split'}>
      <Card title="By month" tools={<span class="muted small">{result.currency}; choose one to see it in the chart</span>}>
        <div class={rows.length > 14 ? 'tall' : ''}>
          <Table label="Results by month" rows={rows} rowKey={(row) => row.month} columns={monthColumns(result, other, props.month, props.onMonth)} selected={(row) => row.month === props.month} onRow={(row) => props.onMonth(row.month === props.month ? '' : row.month)} />
        </div>
      </Card>
      <Card title="Where the money went">
        <CostTable a={result} b={other} />
      </Card>
    </div>
  );
}
