// What if? Sliders change the world, and the agent trades it again at once.
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import { deleteSimulation } from '../api/calls';
import type { Result, WhatIf } from '../api/types';
import { SimChart } from '../charts/sim_chart';
import { loadPlotly } from '../charts/plot';
import { money, percent } from '../lib/format';
import { replaceAddress, useTitle } from '../lib/hooks';
import { checkForm, formOf, queryOf, requestOf, type SimForm } from '../lib/request';
import { formatRoute } from '../lib/route';
import { useSimulation } from '../lib/simulation';
import { totalCost } from '../lib/story';
import { CALM, describe, isCalm, stressOf, stressQuery, whatIfOf, type Stress } from '../lib/whatif';
import type { Span } from '../lib/window';
import { HeadlineTiles, useWords } from '../ui/metrics';
import { Card, Empty, PageHead, Problem } from '../ui/parts';
import { ModelSelect, PeriodFields, useChoices } from '../ui/sim_form';
import { Running } from '../ui/sim_parts';
import { NoModels, useFilledForm } from './simulate';

const PAUSE_MS = 120;

function Slider(props: { label: string; value: number; min: number; max: number; step: number; text: string; onInput: (value: number) => void }) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{props.label}</label><output for={id}>{props.text}</output>
      <input id={id} type="range" min={props.min} max={props.max} step={props.step} value={props.value} aria-valuetext={props.text} onInput={(event) => props.onInput(Number(event.currentTarget.value))} />
    </div>
  );
}

function Sliders(props: { stress: Stress; onChange: (part: Partial<Stress>) => void }) {
  const { stress, onChange } = props;
  return (
    <div class="fields">
      <Slider label="Spread" value={stress.spread} min={1} max={3} step={0.1} text={`× ${stress.spread.toFixed(1)}`} onInput={(spread) => onChange({ spread })} />
      <Slider label="Latency" value={stress.latency} min={0} max={20} step={1} text={`${stress.latency} bar${stress.latency === 1 ? '' : 's'} late`} onInput={(latency) => onChange({ latency })} />
      <Slider label="Missing bars" value={stress.missing} min={0} max={0.5} step={0.01} text={percent(stress.missing, 0)} onInput={(missing) => onChange({ missing })} />
      <div class="field">
        <span class="label" id="path-label">The path of the price</span>
        <div class="chips" role="group" aria-labelledby="path-label">
          {([['history', 'as it was'], ['resampled', 'in another order'], ['shocked', 'with a shock']] as const).map(([path, label]) => (
            <button key={path} type="button" class="button tiny" aria-pressed={stress.path === path} onClick={() => onChange({ path })}>{label}</button>
          ))}
        </div>
      </div>
      {stress.path === 'resampled' && <Slider label="Blocks" value={stress.block} min={12} max={1200} step={12} text={`${stress.block} bars`} onInput={(block) => onChange({ block })} />}
      {stress.path === 'shocked' && <Slider label="Jump" value={stress.shock} min={-0.1} max={0.1} step={0.005} text={percent(stress.shock, 1, true)} onInput={(shock) => onChange({ shock })} />}
      <div class="chips">
        {(stress.path === 'resampled' || stress.missing > 0) && <button type="button" class="button tiny" onClick={() => onChange({ seed: stress.seed + 1 })}>Another draw (no. {stress.seed})</button>}
        <button type="button" class="button tiny" disabled={isCalm(stress)} onClick={() => onChange(CALM)}>Back to the calm world</button>
      </div>
    </div>
  );
}

function Difference(props: { calm: Result; stressed: Result; stress: Stress }) {
  const { calm, stressed } = props;
  const before = Number(calm.costs.net);
  const after = Number(stressed.costs.net);
  return (
    <p class="lead" data-testid="stress-sentence">
      {isCalm(props.stress)
        ? `As it was, ${calm.decider} ends at ${money(before, calm.currency, true)}. Move a slider.`
        : `With ${describe(props.stress)}, ${calm.decider} ends at ${money(after, calm.currency, true)} instead of ${money(before, '', true)}; costs are ${money(totalCost(stressed.costs))} instead of ${money(totalCost(calm.costs))}.`}
    </p>
  );
}

export function StressPage(props: { query: Record<string, string> }) {
  useTitle('Stress');
  const [form, setForm] = useState<SimForm>(() => ({ ...formOf(props.query), other: '' }));
  const [stress, setStress] = useState<Stress>(() => stressOf(props.query));
  const [span, setSpan] = useState<Span>();
  const choices = useChoices(form);
  const complete = useFilledForm(form, setForm, choices);
  const calm = useSimulation();
  const stressed = useSimulation();
  const words = useWords();
  const made = useRef<string[]>([]);
  const base = useMemo(() => JSON.stringify(requestOf(form, form.model)), [form]);
  const errors = checkForm(form);
  useEffect(() => { void loadPlotly(); }, []);

  // Views are of use only while they are looked at: those that were replaced, and at last all, are forgotten.
  const forgetBut = (keep: (string | undefined)[]) => {
    const old = made.current.filter((id) => !keep.includes(id));
    made.current = made.current.filter((id) => keep.includes(id));
    for (const id of old) deleteSimulation(id).catch(() => undefined);
  };
  useEffect(() => () => forgetBut([]), []);

  useEffect(() => {
    if (!complete || Object.keys(errors).length) return undefined;
    const timer = setTimeout(() => {
      calm.start(requestOf(form, form.model, { spread: 1 } as WhatIf)).then((simulation) => { if (simulation) made.current.push(simulation.id); });
      setSpan(undefined);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [complete, base]);

  const stressKey = JSON.stringify(whatIfOf(stress));
  useEffect(() => {
    replaceAddress(formatRoute('stress', [], { ...queryOf(form), ...stressQuery(stress) }));
    if (!complete || Object.keys(errors).length) return undefined;
    if (isCalm(stress)) {
      stressed.clear();
      return undefined;
    }
    const timer = setTimeout(() => {
      stressed.start(requestOf(form, form.model, whatIfOf(stress))).then((simulation) => {
        if (!simulation) return;
        made.current.push(simulation.id);
        // The charts may still ask for the one before.
        setTimeout(() => forgetBut([simulation.id, latestCalm.current]), 3000);
      });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [complete, base, stressKey]);
  const latestCalm = useRef<string>();
  latestCalm.current = calm.result?.id;

  const none = choices.models && choices.models.every((model) => model.versions.length === 0);
  if (none) return <><PageHead title="Stress" /><Card><NoModels choices={choices} /></Card></>;
  const first = isCalm(stress) ? calm.result : stressed.result ?? calm.result;
  const second = first === calm.result ? undefined : calm.result;
  const busy = calm.phase === 'busy' || stressed.phase === 'busy';
  return (
    <>
      <PageHead title="Stress" sub="What if the world were less kind?" />
      <div class="simulate">
        <form class="card panel" aria-label="Stress" onSubmit={(event) => event.preventDefault()}>
          <div class="fields">
            <ModelSelect label="Model" value={form.model} models={choices.models ?? []} onChange={(model) => setForm((now) => ({ ...now, model, instrument: '' }))} />
            <PeriodFields form={form} choices={choices} errors={errors} onChange={(part) => setForm((now) => ({ ...now, ...part }))} />
          </div>
          <hr />
          <Sliders stress={stress} onChange={(part) => setStress((now) => ({ ...now, ...part }))} />
        </form>
        <div class="stack">
          <p class="whatif" role="note">A what-if view: it is not counted as a trial, and nothing here can be promoted.</p>
          {calm.phase === 'failed' && <Problem error={calm.error} />}
          {stressed.phase === 'failed' && calm.phase !== 'failed' && <Problem error={stressed.error} />}
          {!first && calm.phase === 'busy' && <Running simulation={calm.simulation} name={form.model} />}
          {!first && calm.phase === 'none' && <Card><Empty title="Choose a model"><p>It trades the period again at every move of a slider.</p></Empty></Card>}
          {first && calm.result && (
            <div class={`stack ${busy ? 'busy' : ''}`}>
              <Card><Difference calm={calm.result} stressed={first} stress={stress} /></Card>
              <HeadlineTiles a={first} b={second} words={words} />
              {second && <p class="legend"><span class="second">Second line: the calm world.</span></p>}
              <Card>
                <SimChart a={first} b={second} names={second ? [`with ${describe(stress)}`, 'as it was'] : undefined} span={span} onSpan={setSpan} pictureName={`what-if-${first.decider.replace(/[^\w.-]+/g, '-')}`} />
              </Card>
            </div>
          )}
        </div>
      </div>
    </>
  );
}
