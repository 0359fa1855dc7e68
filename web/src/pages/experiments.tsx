// Runs: a list that can be filtered, sorted and compared; one run with live curves; the ledger of trials.
import { useMemo, useState } from 'preact/hooks';
import { listRuns, listTrials } from '../api/calls';
import type { Run, Trials } from '../api/types';
import { ago, byUnit, count, duration, minute, significant, stretch } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { useWords } from '../ui/metrics';
import { Callout, Card, Empty, Loading, PageHead, Problem } from '../ui/parts';
import { RunStatus } from '../ui/runs';
import { Table, type Column } from '../ui/table';
import { VerdictBadge } from '../ui/verdict';
import { ComparePage } from './compare';
import { RunPage } from './run';
import { StudyList, StudyPage } from './studies';

const PAGE = 100;
const SHOWN: [string, string][] = [['sharpe', 'Sharpe'], ['total_return', 'Return'], ['max_drawdown', 'Drawdown'], ['dsr', 'Deflated'], ['trades', 'Trades']];

function Tabs(props: { current: string }) {
  const tabs: [string, string][] = [['', 'Runs'], ['studies', 'Studies'], ['trials', 'Trials and looks']];
  return (
    <nav class="chips tabs" aria-label="Experiments">
      {tabs.map(([id, label]) => <a key={id} class="button tiny" aria-current={props.current === id ? 'page' : undefined} href={formatRoute('experiments', id ? [id] : [])}>{label}</a>)}
    </nav>
  );
}

/** "2 min", or how long it has been running. */
export function runTime(run: Run, now: number): string {
  const end = run.end ? Date.parse(run.end) : run.status === 'RUNNING' ? now : Number.NaN;
  return duration((end - Date.parse(run.start)) / 1000);
}

function RunList() {
  const words = useWords();
  const [filter, setFilter] = useState('');
  const [typed, setTyped] = useState('');
  const [nested, setNested] = useState(false);
  const [offset, setOffset] = useState(0);
  const [chosen, setChosen] = useState<string[]>([]);
  const runs = useResource(`${filter}|${nested}|${offset}`, (signal) => listRuns({ filter, nested, offset, limit: PAGE }, signal), 5000);
  const rows = runs.data?.runs ?? [];
  const toggle = (id: string) => setChosen((now) => (now.includes(id) ? now.filter((each) => each !== id) : [...now, id].slice(-20)));
  const columns: Column<Run>[] = [
    { id: 'pick', head: <span class="visually-hidden">Compare</span>, cell: (run) => <input type="checkbox" aria-label={`Compare ${run.run_name}`} checked={chosen.includes(run.run_id)} onChange={() => toggle(run.run_id)} /> },
    { id: 'name', head: 'Run', value: (run) => run.run_name, cell: (run) => <a href={formatRoute('experiments', ['run', run.run_id])}>{run.run_name}</a> },
    { id: 'experiment', head: 'Experiment', value: (run) => run.experiment, cell: (run) => run.experiment },
    { id: 'status', head: 'Status', value: (run) => run.status, cell: (run) => <RunStatus status={run.status} /> },
    { id: 'verdict', head: 'Verdict', value: (run) => run.verdict, cell: (run) => (run.verdict ? <VerdictBadge verdict={run.verdict} /> : '') },
    ...SHOWN.map(([key, head]): Column<Run> => ({
      id: key, num: true, head: <span data-tip={words.of(key) && `${words.of(key)?.label}: ${words.of(key)?.text}`}>{head}</span>, value: (run) => run.metrics[key], cell: (run) => byUnit(run.metrics[key], words.of(key)?.unit),
    })),
    { id: 'start', head: 'Started', value: (run) => run.start, cell: (run) => ago(run.start, Date.now()) },
    { id: 'time', head: 'Took', num: true, cell: (run) => runTime(run, Date.now()) },
  ];
  return (
    <Card
      title="Runs"
      tools={(
        <form class="chips" role="search" onSubmit={(event) => { event.preventDefault(); setFilter(typed.trim()); setOffset(0); }}>
          <label class="check"><input type="checkbox" checked={nested} onChange={(event) => { setNested(event.currentTarget.checked); setOffset(0); }} />agents too</label>
          <input class="search" type="search" aria-label="Filter, as in MLflow" placeholder="metrics.sharpe > 0 AND …" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
          <button type="submit" class="button tiny">Filter</button>
          <a class="button tiny" role="link" aria-disabled={chosen.length < 2} href={chosen.length >= 2 ? formatRoute('experiments', ['compare'], { run: chosen.join(',') }) : undefined}>Compare{chosen.length ? ` ${chosen.length}` : ''}</a>
        </form>
      )}
    >
      {Boolean(runs.error) && <Problem error={runs.error} retry={runs.reload} />}
      {!runs.data && !runs.error && <Loading what="runs" />}
      {runs.data && rows.length === 0 && (filter
        ? <p class="muted">No run fits this filter.</p>
        : <Empty title="Nothing was tried yet"><p><code>tradewind train --config styles/quickstart.yaml</code></p></Empty>)}
      {rows.length > 0 && <Table label="Runs" rows={rows} rowKey={(run) => run.run_id} columns={columns} selected={(run) => chosen.includes(run.run_id)} onRow={(run) => toggle(run.run_id)} />}
      {(offset > 0 || runs.data?.more) && (
        <div class="pager">
          <button type="button" class="button tiny" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))}>Newer</button>
          <button type="button" class="button tiny" disabled={!runs.data?.more} onClick={() => setOffset(offset + PAGE)}>Older</button>
        </div>
      )}
    </Card>
  );
}

type TrialRow = Trials['trials'][number];
type LookRow = Trials['holdout_looks'][number];

function Ledger() {
  const [family, setFamily] = useState('');
  const trials = useResource('trials', listTrials, 15_000);
  const data = trials.data;
  const families = useMemo(() => [...new Set([...(data?.trials ?? []), ...(data?.holdout_looks ?? [])].map((each) => each.family))].sort(), [data]);
  const fits = (each: { family: string }) => !family || each.family === family;
  if (trials.error && !data) return <Problem error={trials.error} retry={trials.reload} />;
  if (!data) return <Loading what="the ledger" />;
  const looks = data.holdout_looks.filter(fits);
  const shown = data.trials.filter(fits);
  const most = Math.max(0.01, ...shown.map((trial) => Math.abs(trial.sharpe_per_day ?? 0)));
  return (
    <div class="stack">
      <Callout tone={data.chain === 'whole' ? 'good' : 'bad'}>
        <p><strong>{count(data.count)} trials are counted.</strong> Each configuration that was judged on a stretch of data lands here, whoever ran it; the more there are, the better the luckiest of them looks, and the more a verdict must ask for. {data.chain === 'whole' ? 'The chain of hashes is whole: no row was changed or taken out.' : `The chain of hashes is broken: ${data.chain}`}</p>
      </Callout>
      <Card title="Trials" tools={families.length > 1 ? (
        <label class="choice"><span class="visually-hidden">Data</span>
          <select value={family} onChange={(event) => setFamily(event.currentTarget.value)}><option value="">All data</option>{families.map((each) => <option key={each}>{each}</option>)}</select>
        </label>
      ) : undefined}>
        {shown.length === 0 ? <p class="muted">None yet.</p> : (
          <Table<TrialRow>
            label="Trials" rows={shown} rowKey={(row) => String(row.trial_id)}
            columns={[
              { id: 'id', head: 'No.', num: true, value: (row) => row.trial_id, cell: (row) => row.trial_id },
              { id: 'family', head: 'Data', value: (row) => row.family, cell: (row) => row.family },
              { id: 'who', head: 'By', value: (row) => row.who, cell: (row) => row.who },
              { id: 'window', head: 'Judged on', value: (row) => row.window, cell: (row) => <span title={row.window}>{stretch(row.window)}</span> },
              { id: 'seeds', head: 'Seeds', num: true, value: (row) => row.seeds, cell: (row) => row.seeds },
              { id: 'days', head: 'Days', num: true, value: (row) => row.days, cell: (row) => count(row.days) },
              { id: 'sharpe', head: 'Sharpe a day', num: true, value: (row) => row.sharpe_per_day, cell: (row) => significant(row.sharpe_per_day, 3) },
              { id: 'bar', head: <span class="visually-hidden">Size</span>, cell: (row) => <span class={`bar mini ${(row.sharpe_per_day ?? 0) < 0 ? 'neg' : 'pos'}`} style={{ width: `${(Math.abs(row.sharpe_per_day ?? 0) / most) * 90}px` }} /> },
              { id: 'config', head: 'Configuration', cell: (row) => <span class="mono" title={row.config_hash}>{row.config_hash.slice(0, 8)}</span> },
              { id: 'time', head: 'When', value: (row) => row.time, cell: (row) => minute(row.time) },
            ]}
          />
        )}
      </Card>
      <Card title="Looks at a terminal holdout">
        {looks.length === 0 ? <p class="muted">None.</p> : (
          <Table<LookRow>
            label="Looks at a holdout" rows={looks} rowKey={(row) => `${row.time}|${row.model}|${row.window}`}
            columns={[
              { id: 'time', head: 'When', value: (row) => row.time, cell: (row) => minute(row.time) },
              { id: 'model', head: 'Model', value: (row) => row.model, cell: (row) => row.model },
              { id: 'family', head: 'Data', value: (row) => row.family, cell: (row) => row.family },
              { id: 'who', head: 'By', value: (row) => row.who, cell: (row) => row.who },
              { id: 'window', head: 'Stretch', value: (row) => row.window, cell: (row) => <span title={row.window}>{stretch(row.window)}</span> },
            ]}
          />
        )}
      </Card>
    </div>
  );
}

export function ExperimentsPage(props: { rest: string[]; query: Record<string, string> }) {
  const [page, id] = props.rest;
  useTitle('Experiments');
  if (page === 'run' && id) return <RunPage key={id} id={id} />;
  if (page === 'study' && /^\d+$/.test(id ?? '')) return <StudyPage key={id} id={Number(id)} />;
  if (page === 'compare') return <ComparePage ids={(props.query.run ?? '').split(',').filter((each) => /^[0-9a-f]{32}$/.test(each))} />;
  return (
    <>
      <PageHead title="Experiments" sub="Everything that was tried" actions={<Tabs current={page === 'trials' || page === 'studies' ? page : ''} />} />
      {page === 'trials' ? <Ledger /> : page === 'studies' ? <StudyList /> : <RunList />}
    </>
  );
}

