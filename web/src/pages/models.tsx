// Registered models: versions, aliases, where they come from, and what they were judged.
import { useMemo } from 'preact/hooks';
import { getModelVersion, listModels } from '../api/calls';
import type { ModelVersion, ModelVersionDetail } from '../api/types';
import { ago, count, day, minute } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { resolveModel } from '../lib/request';
import { formatRoute } from '../lib/route';
import { byUnit } from '../lib/format';
import { useWords, type Words } from '../ui/metrics';
import { Badge, Callout, Card, Define, Empty, Facts, Loading, PageHead, Problem } from '../ui/parts';
import { Table } from '../ui/table';
import { VerdictBadge, VerdictText } from '../ui/verdict';

function Hash(props: { text: string }) {
  return <span class="mono" title={props.text}>{props.text.slice(0, 12)}</span>;
}

function DataState(props: { detail: ModelVersionDetail }) {
  const { data, manifest } = props.detail;
  if (!data.stored) return <Badge tone="bad">its bars are not in the store</Badge>;
  return (
    <>
      {data.same_bars === true && <Badge tone="good">bars unchanged since training</Badge>}
      {data.same_bars === false && <Badge tone="bad" tip="The bars that it learned from are not those in the store: a simulation over them shows another market than the one it saw.">its bars have changed</Badge>}
      {data.same_bars === null && <Badge>not compared</Badge>}
      {(data.newer_bars ?? 0) > 0 && manifest && <span class="muted small"> {count(data.newer_bars)} newer bars in the store</span>}
    </>
  );
}

/** Metrics of the training run: out of sample beside the holdout. */
function TrainingMetrics(props: { metrics: ModelVersionDetail['metrics']; words: Words }) {
  const rows = Object.keys(props.metrics).filter((key) => !key.startsWith('holdout/')).map((key) => ({ key, out: props.metrics[key], held: props.metrics[`holdout/${key}`] }));
  for (const key of Object.keys(props.metrics)) {
    const plain = key.replace(/^holdout\//, '');
    if (plain !== key && !(plain in props.metrics)) rows.push({ key: plain, out: undefined, held: props.metrics[key] });
  }
  rows.sort((x, y) => (props.words.order.get(x.key) ?? 1e9) - (props.words.order.get(y.key) ?? 1e9));
  if (!rows.length) return <p class="muted">Its training logged none.</p>;
  return (
    <div class="tall">
      <Table
        label="Metrics of the training"
        rows={rows}
        rowKey={(row) => row.key}
        columns={[
          { id: 'key', head: 'Metric', wrap: true, cell: (row) => <Define text={props.words.of(row.key)?.text}>{props.words.of(row.key)?.label ?? row.key}</Define> },
          { id: 'out', head: 'Out of sample', num: true, cell: (row) => byUnit(row.out, props.words.of(row.key)?.unit) },
          { id: 'held', head: 'Holdout', num: true, cell: (row) => byUnit(row.held, props.words.of(row.key)?.unit) },
        ]}
      />
    </div>
  );
}

function VersionDetail(props: { version: ModelVersion }) {
  const { version } = props;
  const words = useWords();
  const detail = useResource(version.reference, (signal) => getModelVersion(version.name, version.version, signal));
  const data = detail.data?.version.reference === version.reference ? detail.data : undefined;
  if (detail.error && !data) return <Problem error={detail.error} retry={detail.reload} />;
  if (!data) return <Loading what={version.reference} />;
  const manifest = data.manifest;
  return (
    <div class="stack" data-testid="version">
      <Card
        title={<>{version.name} <span class="muted">version {version.version}</span></>}
        tools={data.simulate ? (
          <>
            <a class="button tiny" href={formatRoute('stress', [], { model: version.reference })}>Stress</a>
            <a class="button primary tiny" href={formatRoute('simulate', [], { model: version.reference, run: 1 })}>Simulate</a>
          </>
        ) : undefined}
      >
        <VerdictText verdict={version.verdict} text={data.verdict_text || 'Its training was not judged.'} />
        {version.description && !data.verdict_text.includes(version.description.trim()) && <p class="wrap">{version.description}</p>}
        {data.unreadable && <Callout tone="bad"><p class="wrap">{data.unreadable}</p></Callout>}
        <div class="grid two facts-pair">
          <Facts rows={[
            ['Aliases', version.aliases.length ? version.aliases.map((alias) => <Badge key={alias} tone="info">@{alias}</Badge>) : 'none'],
            ['Registered', minute(version.created)],
            ['Training run', version.run_id && <a href={formatRoute('experiments', ['run', version.run_id])}>{data.run?.run_name || version.run_id.slice(0, 8)}</a>],
            ['Experiment', data.experiment],
            ['Algorithm', manifest && `${manifest.algo.toUpperCase()}, ${count(manifest.seeds.length)} seed${manifest.seeds.length === 1 ? '' : 's'}`],
            ['Made by', manifest?.program],
          ]} />
          <Facts rows={[
            ['Instrument', manifest && `${manifest.instrument} ${manifest.freq}`],
            ['Learned from', manifest && `${day(manifest.train_from)} to ${day(manifest.train_to)}, ${count(manifest.train_bars)} bars`],
            ['Holdout from', manifest && (manifest.holdout_from ? day(manifest.holdout_from) : 'none')],
            ['Its data', <DataState detail={data} />],
            ['Bars', manifest && <Hash text={manifest.bars_sha256} />],
            ['Configuration', manifest && <Hash text={manifest.config_sha256} />],
            ['Features', manifest && <Hash text={manifest.features_sha256} />],
          ]} />
        </div>
      </Card>
      <div class="split">
        <Card title="What its training measured"><TrainingMetrics metrics={data.metrics} words={words} /></Card>
        <Card title={`What it sees (${count(data.features.length)} features)`}>
          <ol class="features tall">{data.features.map((feature) => <li key={feature}><code>{feature}</code></li>)}</ol>
        </Card>
      </div>
      {data.style && (
        <details class="card"><summary>Configuration that it was trained with</summary><pre class="source" tabIndex={0}>{data.style}</pre></details>
      )}
    </div>
  );
}

export function ModelsPage(props: { rest: string[] }) {
  useTitle('Models');
  const models = useResource('models', listModels, 15_000);
  const versions = useMemo(() => (models.data ?? []).flatMap((model) => model.versions), [models.data]);
  const chosen = models.data && props.rest[0] ? resolveModel(models.data, props.rest[0]) : versions[0];
  if (models.error && !models.data) return <><PageHead title="Models" /><Problem error={models.error} retry={models.reload} /></>;
  if (!models.data) return <><PageHead title="Models" /><Loading what="models" /></>;
  return (
    <>
      <PageHead title="Models" sub="Versions, aliases, where they come from and what they were judged" />
      {versions.length === 0 ? (
        <Card><Empty title="There is no model yet"><p>Train one:</p><p><code>tradewind train --config styles/quickstart.yaml</code></p></Empty></Card>
      ) : (
        <div class="stack">
          <Card>
            <div class={versions.length > 10 ? 'tall short' : ''}>
              <Table
                label="Model versions"
                rows={versions}
                rowKey={(row) => row.reference}
                selected={(row) => row.reference === chosen?.reference}
                onRow={(row) => { location.hash = formatRoute('models', [row.reference]); }}
                columns={[
                  { id: 'name', head: 'Model', value: (row) => row.name, cell: (row) => <a href={formatRoute('models', [row.reference])}>{row.name}</a> },
                  { id: 'version', head: 'Version', num: true, value: (row) => row.version, cell: (row) => row.version },
                  { id: 'aliases', head: 'Aliases', value: (row) => row.aliases.join(' '), cell: (row) => row.aliases.map((alias) => <Badge key={alias} tone="info">@{alias}</Badge>) },
                  { id: 'verdict', head: 'Verdict', value: (row) => row.verdict, cell: (row) => <VerdictBadge verdict={row.verdict} /> },
                  { id: 'created', head: 'Registered', value: (row) => row.created, cell: (row) => ago(row.created, Date.now()) },
                  { id: 'run', head: 'Run', cell: (row) => row.run_id && <a class="mono" href={formatRoute('experiments', ['run', row.run_id])}>{row.run_id.slice(0, 8)}</a> },
                  { id: 'go', head: <span class="visually-hidden">Simulate</span>, cell: (row) => <a class="button tiny" href={formatRoute('simulate', [], { model: row.reference, run: 1 })}>Simulate<span class="visually-hidden"> {row.reference}</span></a> },
                ]}
              />
            </div>
          </Card>
          {chosen ? <VersionDetail key={chosen.reference} version={chosen} /> : <Callout tone="bad"><p>There is no model {props.rest[0]}.</p></Callout>}
        </div>
      )}
    </>
  );
}
