// Small charts of logged metrics, one a key, a line a run; live while a run is running.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { getCurves } from '../api/calls';
import type { Run } from '../api/types';
import { latest, curveFigure, namedCurves } from '../charts/lines';
import { Plot } from '../charts/plot';
import { lineStyle } from '../charts/theme';
import { useResource } from '../lib/hooks';
import { Card, Problem } from './parts';

const FIRST = ['rollout/ep_rew_mean', 'fold/sharpe', 'train/loss', 'train/explained_variance', 'train/approx_kl', 'train/entropy_loss', 'rollout/ep_len_mean'];
const RUNS_MAX = 12;

/** Keys that make curves: those with a group, "train/loss"; the others are results, one number each. */
export function curveKeys(runs: Run[]): string[] {
  const keys = new Set<string>();
  for (const run of runs) for (const key of Object.keys(run.metrics)) if (key.includes('/') && !key.startsWith('holdout/')) keys.add(key);
  return [...keys].sort();
}

export function CurveGrid(props: { runs: Run[]; live: boolean }) {
  const runs = useMemo(() => props.runs.slice(0, RUNS_MAX), [props.runs]);
  const keys = useMemo(() => curveKeys(runs), [runs]);
  const [chosen, setChosen] = useState<string[]>();
  const [reach, setReach] = useState(0);
  const shown = chosen ?? FIRST.filter((key) => keys.includes(key)).slice(0, 4);
  const ids = runs.map((run) => run.run_id);
  const curves = useResource(ids.length && shown.length ? `${ids.join()}|${shown.join()}` : '', (signal) => Promise.all(ids.map((id) => getCurves(id, shown, signal))), props.live ? 2000 : 0);
  const [turn, setTurn] = useState(0);
  useEffect(() => setTurn((now) => now + 1), [curves.data]);
  if (!keys.length) return null;
  const names = runs.map((run) => run.run_name);
  const toggle = (key: string) => setChosen(shown.includes(key) ? shown.filter((each) => each !== key) : [...shown, key]);
  const narrow = innerWidth < 760;
  return (
    <Card
      title={<>Curves {props.live && <span class="badge info">live</span>}</>}
      tools={<label class="check small">smooth <input type="range" min="0" max="20" value={reach} onInput={(event) => setReach(Number(event.currentTarget.value))} /></label>}
    >
      <details class="keys"><summary>Metrics ({shown.length} of {keys.length} shown)</summary>
        <div class="chips">{keys.map((key) => <button key={key} type="button" class="button tiny" aria-pressed={shown.includes(key)} onClick={() => toggle(key)}>{key}</button>)}</div>
      </details>
      {runs.length > 1 && (
        <p class="legend">{runs.map((run, row) => <span key={run.run_id}><i style={{ background: lineStyle(row).color }} />{run.run_name}</span>)}{props.runs.length > RUNS_MAX && <span>and {props.runs.length - RUNS_MAX} more that are not drawn</span>}</p>
      )}
      {Boolean(curves.error) && <Problem error={curves.error} retry={curves.reload} />}
      <div class="grid two curves">
        {shown.map((key) => {
          const lines = curves.data ? namedCurves(curves.data, key, names) : [];
          return (
            <figure key={key}>
              <figcaption class="small"><span class="mono">{key}</span>{lines.length === 1 && lines[0] && <strong> {latest(lines[0])}</strong>}</figcaption>
              {curves.data && lines.length === 0
                ? <p class="muted small">Not logged as a curve.</p>
                : <Plot label={`${key} over steps`} version={`${turn}|${reach}`} height={narrow ? 190 : 220} figure={(palette) => curveFigure(lines, palette, reach)} />}
            </figure>
          );
        })}
      </div>
    </Card>
  );
}
