// Runs beside each other: what differs in their parameters, their results, their curves.
import { useState } from 'preact/hooks';
import { compareRuns, getRun } from '../api/calls';
import { parallelFigure, sharedMetrics, type Dimension } from '../charts/lines';
import { Plot } from '../charts/plot';
import { lineStyle } from '../charts/theme';
import { byUnit } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { CurveGrid } from '../ui/curves';
import { useWords } from '../ui/metrics';
import { Callout, Card, Define, Loading, PageHead, Problem } from '../ui/parts';
import { RunStatus } from '../ui/runs';
import { VerdictBadge } from '../ui/verdict';

const AXES = ['sharpe', 'total_return', 'max_drawdown', 'dsr'];

export function ComparePage(props: { ids: string[] }) {
  useTitle('Compare runs');
  const words = useWords();
  const [colour, setColour] = useState('');
  const [all, setAll] = useState(false);
  const { ids } = props;
  const comparison = useResource(ids.length >= 2 ? ids.join() : '', (signal) => compareRuns(ids, signal));
  // A training's curves are those of its agents: the first of each stands for it.
  const curves = useResource(ids.length >= 2 ? `curves|${ids.join()}` : '', async (signal) => {
    const details = await Promise.all(ids.slice(0, 8).map((id) => getRun(id, signal)));
    return details.map((detail) => {
      const final = detail.children.find((child) => child.run_name.startsWith('final')) ?? detail.children[0];
      return final ? { ...final, run_name: `${detail.run.run_name} (${final.run_name})` } : detail.run;
    });
  });
  const back = <a class="button tiny" href="#/experiments">All runs</a>;
  if (ids.length < 2) return <><PageHead title="Compare runs" actions={back} /><Callout tone="warn"><p>Choose two runs or more in the list.</p></Callout></>;
  if (comparison.error && !comparison.data) return <><PageHead title="Compare runs" actions={back} /><Problem error={comparison.error} retry={comparison.reload} /></>;
  const data = comparison.data;
  if (!data) return <><PageHead title="Compare runs" actions={back} /><Loading what="the comparison" /></>;
  const shared = sharedMetrics(data.runs);
  const colourBy = colour || AXES.find((key) => shared.includes(key)) || shared[0] || '';
  const dimensions: Dimension[] = [
    ...Object.entries(data.params).slice(0, 7).map(([label, values]) => ({ label: label.split('.').pop() ?? label, values })),
    ...AXES.filter((key) => shared.includes(key)).map((key) => ({ label: words.of(key)?.label ?? key, values: data.metrics[key] ?? [] })),
  ];
  const metricKeys = Object.keys(data.metrics).filter((key) => all || (words.order.has(key) && words.of(key)?.group !== 'Other')).sort((x, y) => (words.order.get(x) ?? 1e9) - (words.order.get(y) ?? 1e9));
  const shownKeys = all ? metricKeys : metricKeys.slice(0, 24);
  const narrow = innerWidth < 760;
  return (
    <>
      <PageHead title="Compare runs" sub={`${data.runs.length} runs`} actions={back} />
      <div class="stack">
        {data.runs.length > 2 && dimensions.length > 1 && (
          <Card title="Parameters and results" tools={(
            <label class="choice small">colour by{' '}
              <select value={colourBy} onChange={(event) => setColour(event.currentTarget.value)}>{shared.map((key) => <option key={key} value={key}>{words.of(key)?.label ?? key}</option>)}</select>
            </label>
          )}>
            <div class="sideways"><div class="parallel"><Plot label="Parallel coordinates of parameters and results" version={`${ids.join()}|${colourBy}|${words.order.size}`} height={narrow ? 300 : 360} figure={(palette) => parallelFigure(dimensions, data.metrics[colourBy] ?? [], palette)} /></div></div>
            <p class="small muted">Drag along an axis to choose a range, drag an axis head to move it.</p>
          </Card>
        )}
        <Card title="Beside each other" tools={<label class="check small"><input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />all metrics</label>}>
          <div class="scroll" tabIndex={0} role="region" aria-label="Comparison">
            <table>
              <thead>
                <tr>
                  <th scope="col">Run</th>
                  {data.runs.map((run, row) => <th scope="col" class="num" key={run.run_id}><i class="swatch" style={{ background: lineStyle(row).color }} /> <a href={formatRoute('experiments', ['run', run.run_id])}>{run.run_name}</a></th>)}
                </tr>
              </thead>
              <tbody>
                <tr><td>Status</td>{data.runs.map((run) => <td class="num" key={run.run_id}><RunStatus status={run.status} /></td>)}</tr>
                <tr><td>Verdict</td>{data.runs.map((run) => <td class="num" key={run.run_id}><VerdictBadge verdict={run.verdict} /></td>)}</tr>
                {Object.keys(data.params).length > 0 && <tr class="group"><th colSpan={data.runs.length + 1} scope="colgroup">Parameters that differ</th></tr>}
                {Object.entries(data.params).map(([key, values]) => <tr key={key}><td class="mono">{key}</td>{values.map((value, row) => <td class="num" key={row}>{value ?? '–'}</td>)}</tr>)}
                <tr class="group"><th colSpan={data.runs.length + 1} scope="colgroup">Results, out of sample</th></tr>
                {shownKeys.map((key) => (
                  <tr key={key}>
                    <td><Define text={words.of(key)?.text}>{words.of(key)?.label ?? key}</Define></td>
                    {(data.metrics[key] ?? []).map((value, row) => <td class="num" key={row}>{byUnit(value, words.of(key)?.unit)}</td>)}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Card>
        {curves.data && <CurveGrid runs={curves.data} live={curves.data.some((run) => run.status === 'RUNNING')} />}
      </div>
    </>
  );
}
