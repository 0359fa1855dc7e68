// What needs attention, what there is, and the shortest way to look at an agent.
import { getOverview } from '../api/calls';
import type { Attention, ModelVersion, Overview, Run } from '../api/types';
import { ago, count } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { Badge, Card, Empty, Loading, PageHead, Problem, type Tone } from '../ui/parts';
import { RunStatus } from '../ui/runs';
import { VerdictBadge } from '../ui/verdict';

const SEVERITY: Record<Attention['severity'], [Tone, string]> = { error: ['bad', 'error'], warning: ['warn', 'warning'], info: ['info', 'note'] };

/** The page that shows the subject of an item. */
export function linkOf(item: Pick<Attention, 'page' | 'subject'>): string {
  const subject = item.subject;
  if (item.page === 'models') return formatRoute('models', subject ? [subject] : []);
  if (item.page === 'data') return formatRoute('data', subject ? subject.split('/') : []);
  if (item.page === 'experiments') return formatRoute('experiments', subject ? ['run', subject] : []);
  if (item.page === 'simulate') return formatRoute('simulate', [], { model: subject });
  return '';
}

function AttentionList(props: { items: Attention[] }) {
  if (!props.items.length) return <p class="muted">Nothing. Data, runs and models are as they should be.</p>;
  return (
    <ul class="attention">
      {props.items.map((item) => {
        const [tone, word] = SEVERITY[item.severity];
        const link = linkOf(item);
        return (
          <li key={`${item.code}|${item.subject}`}>
            <Badge tone={tone}>{word}</Badge>
            <div><strong>{item.title}</strong><div class="muted small wrap">{item.detail}</div></div>
            {link && <a class="button tiny" href={link}>Look<span class="visually-hidden"> at: {item.title}</span></a>}
          </li>
        );
      })}
    </ul>
  );
}

function ModelCards(props: { models: ModelVersion[] }) {
  return (
    <div class="grid three">
      {props.models.map((model) => (
        <div class="card model-card" key={model.reference}>
          <div class="card-head">
            <h3><a href={formatRoute('models', [model.reference])}>{model.name}</a></h3>
            <span class="muted small">v{model.version}</span>
            {model.aliases.map((alias) => <Badge key={alias} tone="info">@{alias}</Badge>)}
          </div>
          <p class="small"><VerdictBadge verdict={model.verdict} /> <span class="muted">trained {ago(model.created, Date.now())}</span></p>
          <a class="button primary" href={formatRoute('simulate', [], { model: model.reference, run: 1 })}>See what it did</a>
        </div>
      ))}
    </div>
  );
}

function Counts(props: { counts: Overview['counts'] }) {
  const { counts } = props;
  const tiles: [string, number, string, string][] = [
    ['Models', counts.models, '#/models', ''],
    ['Runs', counts.runs, '#/experiments', counts.runs_running ? `${count(counts.runs_running)} running` : ''],
    ['Trials counted', counts.trials, '#/experiments/trials', 'the more, the stricter the verdicts'],
    ['Looks at a holdout', counts.holdout_looks, '#/experiments/trials', ''],
    ['Instruments', counts.instruments, '#/data', ''],
    ['Simulations kept', counts.simulations, '#/simulate', ''],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([name, value, link, note]) => (
        <div class="tile" key={name}>
          <dt><a href={link}>{name}</a></dt>
          <dd>{count(value)}{note && <span class="note">{note}</span>}</dd>
        </div>
      ))}
    </dl>
  );
}

export function RecentRuns(props: { runs: Run[] }) {
  return (
    <ul class="attention">
      {props.runs.map((run) => (
        <li key={run.run_id}>
          <RunStatus status={run.status} />
          <div><a href={formatRoute('experiments', ['run', run.run_id])}>{run.run_name}</a> <span class="muted small">{run.experiment}, {ago(run.start, Date.now())}</span></div>
          {run.verdict && <VerdictBadge verdict={run.verdict} />}
        </li>
      ))}
    </ul>
  );
}

export function OverviewPage() {
  useTitle('Overview');
  const overview = useResource('overview', getOverview, 10_000);
  const data = overview.data;
  return (
    <>
      <PageHead title="Overview" />
      {Boolean(overview.error) && !data && <Problem error={overview.error} retry={overview.reload} />}
      {!data && !overview.error && <Loading what="the overview" />}
      {data && (
        <div class="stack">
          <Counts counts={data.counts} />
          {data.models.length > 0 ? (
            <section class="plain"><h2>Agents</h2><ModelCards models={data.models} /></section>
          ) : (
            <Card><Empty title="There is no model yet"><p>Train one; it then shows up here by itself:</p><p><code>tradewind train --config styles/quickstart.yaml</code></p></Empty></Card>
          )}
          <div class="grid two">
            <Card title="What needs attention"><AttentionList items={data.attention} /></Card>
            <Card title="Latest runs" tools={<a class="small" href="#/experiments">all runs</a>}>
              {data.recent_runs.length ? <RecentRuns runs={data.recent_runs} /> : <p class="muted">None yet.</p>}
            </Card>
          </div>
        </div>
      )}
    </>
  );
}
