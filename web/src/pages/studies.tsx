// Searches over hyperparameters: how they go, what mattered, what was best.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { getStudy, listStudies, listStudyTrials } from '../api/calls';
import type { Study, StudyDetail, StudyTrial } from '../api/types';
import { parallelFigure } from '../charts/lines';
import { Plot } from '../charts/plot';
import { frontFigure, historyFigure, progressFigure, studyDimensions } from '../charts/studies';
import { ago, count, duration, percent, significant } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { Badge, Card, Empty, Loading, PageHead, Problem, type Tone } from '../ui/parts';
import { Table, type Column } from '../ui/table';

const STATES: Record<StudyTrial['state'], [Tone, string]> = {
  COMPLETE: ['good', 'complete'], PRUNED: ['warn', 'pruned'], FAIL: ['bad', 'failed'], RUNNING: ['info', 'running'], WAITING: ['', 'waiting'],
};

const aim = (study: Study) => study.directions.map((direction) => (direction === 'MAXIMIZE' ? 'larger is better' : direction === 'MINIMIZE' ? 'smaller is better' : 'not set')).join(', ');
const told = (value: number | string | boolean | null | undefined) => (typeof value === 'number' ? significant(value) : value === null || value === undefined ? '–' : String(value));

export function StudyList() {
  const studies = useResource('studies', listStudies, 5000);
  if (studies.error && !studies.data) return <Problem error={studies.error} retry={studies.reload} />;
  if (!studies.data) return <Loading what="studies" />;
  return (
    <Card title="Studies">
      {studies.data.length === 0 ? (
        <Empty title="There is no study yet"><p>A study searches hyperparameters; each of its trials counts in the ledger.</p></Empty>
      ) : (
        <Table<Study>
          label="Studies" rows={studies.data} rowKey={(study) => String(study.study_id)}
          columns={[
            { id: 'name', head: 'Study', value: (study) => study.name, cell: (study) => <a href={formatRoute('experiments', ['study', String(study.study_id)])}>{study.name}</a> },
            { id: 'aim', head: 'Aim', cell: aim },
            { id: 'best', head: 'Best', num: true, value: (study) => study.best_value, cell: (study) => told(study.best_value) },
            { id: 'complete', head: 'Complete', num: true, value: (study) => study.complete, cell: (study) => count(study.complete) },
            { id: 'pruned', head: 'Pruned', num: true, value: (study) => study.pruned, cell: (study) => count(study.pruned) },
            { id: 'failed', head: 'Failed', num: true, value: (study) => study.failed, cell: (study) => count(study.failed) },
            { id: 'running', head: 'Running', num: true, value: (study) => study.running, cell: (study) => count(study.running) },
            { id: 'started', head: 'Started', value: (study) => study.started, cell: (study) => ago(study.started, Date.now()) },
          ]}
        />
      )}
    </Card>
  );
}

function Importances(props: { detail: StudyDetail }) {
  const { importances } = props.detail;
  if (!importances.length) return <p class="muted">Told from four complete trials on.</p>;
  const most = Math.max(1e-12, ...importances.map((each) => each.importance));
  return (
    <table>
      <thead class="visually-hidden"><tr><th scope="col">Parameter</th><th scope="col">Share</th><th scope="col">Size</th></tr></thead>
      <tbody>
        {importances.map((each) => (
          <tr key={each.name}><td class="mono">{each.name}</td><td class="num">{percent(each.importance, 1)}</td><td class="bars"><span class="bar" style={{ width: `${(each.importance / most) * 100}%` }} /></td></tr>
        ))}
      </tbody>
    </table>
  );
}

function TrialTable(props: { label: string; trials: StudyTrial[]; names: string[]; objectives: number; newestFirst: boolean }) {
  const columns: Column<StudyTrial>[] = [
    { id: 'number', head: 'Trial', num: true, value: (trial) => trial.number, cell: (trial) => trial.number },
    { id: 'state', head: 'State', value: (trial) => trial.state, cell: (trial) => <><Badge tone={STATES[trial.state][0]}>{STATES[trial.state][1]}</Badge>{!trial.feasible && <Badge tone="bad">infeasible</Badge>}</> },
    ...Array.from({ length: Math.max(1, props.objectives) }, (_, row): Column<StudyTrial> => ({
      id: `value-${row}`, head: props.objectives > 1 ? `Value ${row + 1}` : 'Value', num: true, value: (trial) => trial.values[row], cell: (trial) => <strong>{told(trial.values[row])}</strong>,
    })),
    ...props.names.map((name): Column<StudyTrial> => ({
      id: `param-${name}`, head: name, num: true, value: (trial) => { const value = trial.params[name]; return typeof value === 'boolean' ? String(value) : value; }, cell: (trial) => told(trial.params[name]),
    })),
    { id: 'took', head: 'Took', num: true, cell: (trial) => (trial.start && trial.complete ? duration((Date.parse(trial.complete) - Date.parse(trial.start)) / 1000) : '–') },
  ];
  return <Table label={props.label} rows={props.trials} rowKey={(trial) => String(trial.number)} columns={columns} sort={props.newestFirst ? { by: 'number', descending: true } : undefined} />;
}

export function StudyPage(props: { id: number }) {
  const [live, setLive] = useState(true);
  const detail = useResource(`study|${props.id}`, async (signal) => {
    const found = await getStudy(props.id, signal);
    setLive(found.study.running + found.study.waiting > 0);
    return found;
  }, live ? 3000 : 15_000);
  const trials = useResource(`trials|${props.id}`, (signal) => listStudyTrials(props.id, signal), live ? 3000 : 15_000);
  const [turn, setTurn] = useState(0);
  useEffect(() => setTurn((now) => now + 1), [trials.data]);
  const data = detail.data;
  useTitle(data?.study.name ?? 'Study');
  const order = useMemo(() => {
    const ranked = (data?.importances ?? []).map((each) => each.name);
    return [...ranked, ...(data?.params ?? []).map((each) => each.name).filter((name) => !ranked.includes(name))];
  }, [data]);
  const back = <a class="button tiny" href="#/experiments/studies">All studies</a>;
  if (detail.error && !data) return <><PageHead title="Study" actions={back} /><Problem error={detail.error} retry={detail.reload} /></>;
  if (!data) return <><PageHead title="Study" actions={back} /><Loading what="the study" /></>;
  const { study } = data;
  const all = trials.data?.trials ?? [];
  const several = study.directions.length > 1;
  const logs = new Set(data.params.filter((param) => param.log).map((param) => param.name));
  const parallel = studyDimensions(all, order, logs);
  const narrow = innerWidth < 760;
  return (
    <>
      <PageHead title={study.name} sub={<>{aim(study)} {study.running > 0 && <Badge tone="info">{count(study.running)} running</Badge>}</>} actions={back} />
      <div class="stack">
        <dl class="tiles">
          <div class="tile"><dt>{several ? 'On the front' : 'Best value'}</dt><dd>{several ? count(data.best.length) : told(study.best_value)}{!several && data.best[0] && <span class="note">trial {data.best[0].number}</span>}</dd></div>
          <div class="tile"><dt>Complete</dt><dd>{count(study.complete)}</dd></div>
          <div class="tile"><dt>Pruned</dt><dd>{count(study.pruned)}</dd></div>
          <div class="tile"><dt>Failed</dt><dd>{count(study.failed)}</dd></div>
          <div class="tile"><dt>Started</dt><dd>{ago(study.started, Date.now())}</dd></div>
        </dl>
        <div class="split">
          <Card title={several ? 'Objectives' : 'Values of the trials'}>
            {several ? (
              <Plot label="Objectives of the trials" version={`${turn}|${data.best.length}`} height={300} figure={(palette) => frontFigure(all, data.best, palette)} />
            ) : (
              <Plot label="Values of the trials and the best so far" version={turn} height={300} figure={(palette) => historyFigure(all, study.directions[0], palette)} />
            )}
            {!several && <p class="legend"><span><i class="second-mark" />best so far</span><span><b>●</b>complete</span><span><b>×</b>pruned, where it was stopped</span></p>}
          </Card>
          <Card title="What mattered"><Importances detail={data} /></Card>
        </div>
        {parallel.values.length > 2 && (
          <Card title="Parameters and value">
            <div class="sideways"><div class="parallel"><Plot label="Parallel coordinates of the trials" version={turn} height={narrow ? 300 : 360} figure={(palette) => parallelFigure(parallel.dimensions, parallel.values, palette)} /></div></div>
            <p class="small muted">Drag along an axis to choose a range.</p>
          </Card>
        )}
        <Card title={several ? 'Trials on the front' : 'Best trials'}><TrialTable label="Best trials" trials={data.best} names={order} objectives={study.directions.length} newestFirst={false} /></Card>
        {all.some((trial) => trial.intermediate.steps.length > 0) && (
          <Card title="On their way" tools={<span class="muted small">pruned ones are faint</span>}>
            <Plot label="Intermediate values of the trials" version={turn} height={260} figure={(palette) => progressFigure(all, palette)} />
          </Card>
        )}
        <Card title="All trials" tools={trials.data && trials.data.total > all.length ? <span class="muted small">the first {count(all.length)} of {count(trials.data.total)}</span> : undefined}>
          {Boolean(trials.error) && <Problem error={trials.error} retry={trials.reload} />}
          <div class="tall"><TrialTable label="All trials" trials={all} names={order} objectives={study.directions.length} newestFirst /></div>
        </Card>
      </div>
    </>
  );
}
