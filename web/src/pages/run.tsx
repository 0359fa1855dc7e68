// One run: state, curves, results, parameters, files, and the models that came out of it.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { getRun } from '../api/calls';
import { download } from '../api/http';
import type { Run, RunDetail } from '../api/types';
import { ago, byUnit, count, minute } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { CurveGrid } from '../ui/curves';
import { useWords } from '../ui/metrics';
import { Callout, Card, Define, Facts, Loading, PageHead, Problem } from '../ui/parts';
import { RunStatus } from '../ui/runs';
import { Table } from '../ui/table';
import { VerdictText } from '../ui/verdict';
import { runTime } from './experiments';

function Files(props: { detail: RunDetail }) {
  const [problem, setProblem] = useState('');
  const { run, files } = props.detail;
  if (!files.length) return <p class="muted">None.</p>;
  const save = (path: string) => download(`runs/${run.run_id}/file`, { path }, path.split('/').pop() ?? 'file').catch((error) => setProblem(String(error.message)));
  return (
    <div class="tall">
      {problem && <p class="loss" role="alert">{problem}</p>}
      <Table
        label="Files" rows={files} rowKey={(file) => file.path}
        columns={[
          { id: 'path', head: 'File', value: (file) => file.path, cell: (file) => <button type="button" class="link wrap" onClick={() => void save(file.path)}>{file.path}</button> },
          { id: 'size', head: 'Bytes', num: true, value: (file) => file.size, cell: (file) => count(file.size) },
        ]}
      />
    </div>
  );
}

function Results(props: { run: Run }) {
  const words = useWords();
  const [text, setText] = useState('');
  const rows = Object.entries(props.run.metrics)
    .map(([key, value]) => ({ key, value, plain: key.replace(/^holdout\//, ''), held: key.startsWith('holdout/') }))
    .filter((row) => `${row.key} ${words.of(row.plain)?.label ?? ''}`.toLowerCase().includes(text.toLowerCase()))
    .sort((x, y) => Number(x.held) - Number(y.held) || (words.order.get(x.plain) ?? 1e9) - (words.order.get(y.plain) ?? 1e9));
  return (
    <Card title="Results" tools={<input class="search" type="search" aria-label="Find a metric" placeholder="find a metric" value={text} onInput={(event) => setText(event.currentTarget.value)} />}>
      <div class="tall">
        <Table
          label="Metrics" rows={rows} rowKey={(row) => row.key}
          columns={[
            { id: 'key', head: 'Metric', cell: (row) => <><Define text={words.of(row.plain)?.text}>{words.of(row.plain)?.label ?? row.key}</Define>{row.held && <span class="muted"> on the holdout</span>}</> },
            { id: 'value', head: 'Value', num: true, cell: (row) => byUnit(row.value, words.of(row.plain)?.unit) },
          ]}
        />
      </div>
    </Card>
  );
}

export function RunPage(props: { id: string }) {
  const [live, setLive] = useState(true);
  const detail = useResource(props.id, async (signal) => {
    const found = await getRun(props.id, signal);
    setLive(found.run.status === 'RUNNING');
    return found;
  }, live ? 3000 : 0);
  const data = detail.data;
  useTitle(data?.run.run_name ?? 'Run');
  const back = <a class="button tiny" href="#/experiments">All runs</a>;
  if (detail.error && !data) return <><PageHead title="Run" actions={back} /><Problem error={detail.error} retry={detail.reload} /></>;
  if (!data) return <><PageHead title="Run" actions={back} /><Loading what="the run" /></>;
  const { run, children, models } = data;
  const verdict = run.tags['mlflow.note.content'] ?? '';
  return (
    <>
      <PageHead title={run.run_name} sub={<><RunStatus status={run.status} /> {run.experiment}</>} actions={back} />
      <div class="stack">
        {run.status === 'FAILED' && <Callout tone="bad"><p class="wrap">{run.tags.error || 'This run failed; what it printed says why.'}</p></Callout>}
        <Card>
          {(run.verdict || verdict) && <VerdictText verdict={run.verdict} text={verdict} />}
          <div class="grid two facts-pair">
            <Facts rows={[
              ['Run', <span class="mono">{run.run_id}</span>],
              ['Started', `${minute(run.start)} (${ago(run.start, Date.now())})`],
              ['Took', runTime(run, Date.now())],
              ['Part of', run.parent_run_id && <a href={formatRoute('experiments', ['run', run.parent_run_id])}>{run.parent_run_id.slice(0, 8)}</a>],
            ]} />
            <Facts rows={[
              ['Models', models.length > 0 && <>{models.map((model) => <a key={model.reference} href={formatRoute('models', [model.reference])}>{model.reference}</a>)}</>],
              ['Agents', children.length ? count(children.length) : undefined],
              ...Object.entries(run.tags).filter(([key]) => !key.startsWith('mlflow.') && key.length < 40).slice(0, 8).map(([key, value]): [string, ComponentChildren] => [key, /^[0-9a-f]{64}$/.test(value) ? <span class="mono" title={value}>{value.slice(0, 12)}</span> : value.slice(0, 160)]),
            ]} />
          </div>
        </Card>
        <CurveGrid runs={children.length ? [...children].reverse() : [run]} live={run.status === 'RUNNING'} />
        <div class="split">
          <Results run={run} />
          <div class="stack">
            <Card title="Parameters">
              <div class="tall"><Table
                label="Parameters" rows={Object.entries(run.params).map(([key, value]) => ({ key, value }))} rowKey={(row) => row.key}
                columns={[
                  { id: 'key', head: 'Name', value: (row) => row.key, cell: (row) => <span class="mono">{row.key}</span> },
                  { id: 'value', head: 'Value', wrap: true, cell: (row) => <span class="wrap">{row.value}</span> },
                ]}
              /></div>
            </Card>
            <Card title="Files"><Files detail={data} /></Card>
          </div>
        </div>
        {children.length > 0 && (
          <Card title="Agents of this training">
            <Table
              label="Agents" rows={children} rowKey={(child) => child.run_id}
              columns={[
                { id: 'name', head: 'Agent', value: (child) => child.run_name, cell: (child) => <a href={formatRoute('experiments', ['run', child.run_id])}>{child.run_name}</a> },
                { id: 'status', head: 'Status', value: (child) => child.status, cell: (child) => <RunStatus status={child.status} /> },
                { id: 'reward', head: 'Episode reward', num: true, value: (child) => child.metrics['rollout/ep_rew_mean'], cell: (child) => byUnit(child.metrics['rollout/ep_rew_mean'], undefined) },
                { id: 'time', head: 'Took', num: true, cell: (child) => runTime(child, Date.now()) },
              ]}
            />
          </Card>
        )}
      </div>
    </>
  );
}
