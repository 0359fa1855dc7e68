// Choose a model and a period, press one button, look.
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { compareSimulations } from '../api/calls';
import { ApiError, isReachable, onReachable } from '../api/http';
import type { ModelVersion, Simulation, Trade } from '../api/types';
import { SimChart } from '../charts/sim_chart';
import { loadPlotly } from '../charts/plot';
import { within } from '../lib/dates';
import { replaceAddress, useResource, useTitle } from '../lib/hooks';
import { checkForm, fieldErrors, formOf, formOfRequest, queryOf, requestOf, resolveModel, type SimForm } from '../lib/request';
import { formatRoute } from '../lib/route';
import { useSimulation } from '../lib/simulation';
import { monthWindow } from '../lib/story';
import { barMs, type Span } from '../lib/window';
import { useWords, AllMetrics, HeadlineTiles } from '../ui/metrics';
import { Callout, Card, Empty, Loading, PageHead, Problem } from '../ui/parts';
import { CostFields, InstrumentField, ModelSelect, PeriodFields, useChoices, type Choices } from '../ui/sim_form';
import { Lead, MonthsAndCosts, Running } from '../ui/sim_parts';
import { RecentSimulations } from '../ui/recent';
import { TradeTable } from '../ui/trade_table';

/** The model that somebody most likely means: the newest champion, else the newest version of all. */
export function usualModel(choices: Choices): string {
  let best: { reference: string; created: string; champion: boolean } | undefined;
  for (const model of choices.models ?? []) {
    const champion = model.aliases.champion;
    const version: ModelVersion | undefined = model.versions.find((each) => each.version === champion) ?? model.versions[0];
    if (!version) continue;
    const candidate = { reference: champion === version.version ? `${model.name}@champion` : version.reference, created: version.created, champion: champion !== undefined };
    if (!best || Number(candidate.champion) > Number(best.champion) || (candidate.champion === best.champion && candidate.created > best.created)) best = candidate;
  }
  return best?.reference ?? '';
}

/** Fills what the form leaves open as soon as it is known, and keeps its period inside the data. */
export function useFilledForm(form: SimForm, setForm: (update: (now: SimForm) => SimForm) => void, choices: Choices): boolean {
  useEffect(() => {
    if (choices.models && !form.model) {
      const model = usualModel(choices);
      if (model) setForm((now) => ({ ...now, model }));
    }
  }, [choices.models, form.model]);
  const { limits, usual } = choices;
  useEffect(() => {
    if (!limits || !usual) return;
    setForm((now) => {
      if (!now.from && !now.to) return { ...now, ...usual };
      const kept = within({ from: now.from || limits.from, to: now.to || limits.to }, limits) ?? usual;
      return kept.from === now.from && kept.to === now.to ? now : { ...now, ...kept };
    });
  }, [limits?.from, limits?.to, usual?.from, usual?.to]);
  return Boolean(choices.detail && form.from && form.to);
}

export function NoModels(props: { choices: Choices }) {
  if (props.choices.instruments?.length === 0) {
    return (
      <Empty title="There are no data yet">
        <p>Import bars and train a model; it then shows up here by itself:</p>
        <p><code>tradewind data import FILE --instrument EURUSD --freq 60min</code></p>
        <p><code>tradewind train --config styles/hourly.yaml</code></p>
      </Empty>
    );
  }
  return (
    <Empty title="There is no model yet">
      <p>Train one; it then shows up here by itself:</p>
      <p><code>tradewind train --config styles/quickstart.yaml</code></p>
    </Empty>
  );
}

export function SimulatePage(props: { query: Record<string, string> }) {
  useTitle('Simulate');
  const [form, setForm] = useState<SimForm>(() => formOf(props.query));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [span, setSpan] = useState<Span>();
  const [trade, setTrade] = useState<Trade>();
  const [month, setMonth] = useState('');
  const choices = useChoices(form);
  const complete = useFilledForm(form, setForm, choices);
  const a = useSimulation();
  const b = useSimulation();
  const words = useWords();
  const opened = useRef({ sim: props.query.sim, other: props.query.sim2, run: props.query.run === '1' });
  const recent = useRef<() => void>();
  const shown = useRef<HTMLDivElement>(null);
  const toFault = useRef(false);
  const asked = useRef<SimForm>();

  useEffect(() => {
    void loadPlotly();
    if (opened.current.sim) a.attach(opened.current.sim);
    if (opened.current.other) b.attach(opened.current.other);
  }, []);

  const look = useCallback((next: Span | undefined) => { setSpan(next); setMonth(''); }, []);

  const run = useCallback(async (what: SimForm) => {
    const found = checkForm(what);
    setErrors(found);
    if (Object.keys(found).length) {
      toFault.current = true;
      return;
    }
    setTrade(undefined);
    look(undefined);
    // On a phone the form fills the screen, and what was asked for would appear below it.
    if (innerWidth < 760) shown.current?.scrollIntoView({ behavior: 'smooth' });
    const simulate = choices.detail?.simulate;
    const same = { ...what, instrument: what.instrument || simulate?.instrument || '' };
    const first = a.start(requestOf(what, what.model));
    const second = what.other ? b.start({ ...requestOf(same, what.other), ...(simulate ? { freq: simulate.freq } : {}) }) : undefined;
    if (!what.other) b.clear();
    asked.current = what;
    replaceAddress(formatRoute('simulate', [], queryOf(what)));
    await Promise.all([first, second]);
    recent.current?.();
  }, [a.start, b.start, b.clear, choices.detail, look]);

  // The address names what runs as soon as it is known: a reload finds it again, running or done.
  useEffect(() => {
    if (asked.current && a.simulation) replaceAddress(formatRoute('simulate', [], { ...queryOf(asked.current), sim: a.simulation.id, sim2: b.simulation?.id }));
  }, [a.simulation?.id, b.simulation?.id]);

  // The first field at fault gets the focus, once it is marked.
  useEffect(() => {
    if (!toFault.current) return;
    toFault.current = false;
    document.querySelector<HTMLElement>('form.panel [aria-invalid="true"]')?.focus();
  }, [errors]);

  // Fields at fault in the server's words belong to the form.
  useEffect(() => {
    if (a.error instanceof ApiError) setErrors(fieldErrors(a.error.fields));
  }, [a.error]);

  // A link may ask to run at once, but a look at the holdout is never taken without a click.
  useEffect(() => {
    if (!opened.current.run || !complete) return;
    opened.current.run = false;
    if (!choices.holdoutFrom || form.to < choices.holdoutFrom) void run(form);
  }, [complete]);

  // After a loss of the server, what was being looked at is asked for again.
  useEffect(() => onReachable((now) => {
    if (now && a.phase === 'failed' && a.simulation && isReachable()) a.attach(a.simulation.id);
  }), [a.phase, a.simulation]);

  const open = (simulation: Simulation) => {
    asked.current = undefined;
    setForm(formOfRequest(simulation.request, ''));
    setErrors({});
    setTrade(undefined);
    look(undefined);
    b.clear();
    a.attach(simulation.id);
    replaceAddress(formatRoute('simulate', [], { ...queryOf(formOfRequest(simulation.request, '')), sim: simulation.id }));
  };

  const change = (part: Partial<SimForm>) => {
    setForm((now) => ({ ...now, ...part }));
    setErrors({});
  };
  const chooseTrade = (next: Trade | undefined) => {
    setTrade(next);
    if (!next || !a.result) return;
    const bar = barMs(a.result.freq);
    const from = Date.parse(next.entry_time);
    const to = Date.parse(next.exit_time);
    const margin = Math.max(24 * bar, (to - from) * 0.8);
    setSpan({ from: from - margin, to: to + margin });
    document.getElementById('chart')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  };
  const chooseMonth = (next: string) => {
    setTrade(undefined);
    setMonth(next);
    setSpan(next ? monthWindow(next) : undefined);
  };

  const alone = choices.models && choices.models.reduce((sum, model) => sum + model.versions.length, 0) === 1;
  const none = choices.models && choices.models.every((model) => model.versions.length === 0);
  const busy = a.phase === 'busy' || b.phase === 'busy';
  const comparison = useResource(a.result && b.result ? `${a.result.id}|${b.result.id}` : '', (signal) => compareSimulations(a.result?.id ?? '', b.result?.id ?? '', signal));
  const result = a.result;
  const other = b.result && b.phase !== 'none' ? b.result : undefined;
  const version = useMemo(() => (choices.models && result ? resolveModel(choices.models, result.decider) : undefined), [choices.models, result]);

  if (none) return <><PageHead title="Simulate" /><Card><NoModels choices={choices} /></Card></>;
  return (
    <>
      <PageHead title="Simulate" sub="What an agent did in a period, and what it cost" />
      <div class="simulate">
        <form class="card panel" aria-label="Simulation" onSubmit={(event) => { event.preventDefault(); void run(form); }} noValidate>
          {Boolean(choices.error) && !choices.models && <Problem error={choices.error} retry={choices.reload} />}
          <div class="fields flow">
            <ModelSelect label="Model" value={form.model} models={choices.models ?? []} error={errors.model} onChange={(model) => change({ model, instrument: '' })} />
            <ModelSelect label="Compare with" none="nothing" hint={alone ? 'There is only this one yet: train another to compare it with.' : undefined} value={form.other} models={choices.models ?? []} error={errors.other} onChange={(other) => change({ other })} />
            <InstrumentField form={form} choices={choices} error={errors.instrument} onChange={change} />
            <PeriodFields form={form} choices={choices} errors={errors} onChange={change} />
            <CostFields costs={form.costs} choices={choices} errors={errors} onChange={(costs) => change({ costs })} />
            {choices.detail && !choices.detail.simulate && <Callout tone="bad"><p>This version cannot be simulated: {choices.detail.unreadable || 'its data are not in the store'}.</p></Callout>}
            {busy
              ? <button type="button" class="button wide danger" onClick={() => { a.cancel(); b.cancel(); }}>Cancel</button>
              : <button type="submit" class="button primary wide" disabled={!choices.detail?.simulate}>Simulate</button>}
          </div>
          <RecentSimulations current={result?.id} onOpen={open} onHandle={(reload) => { recent.current = reload; }} />
        </form>
        <div class="stack" ref={shown}>
          {a.phase === 'busy' && <Running simulation={a.simulation} name={form.model} />}
          {b.phase === 'busy' && a.phase !== 'busy' && <Running simulation={b.simulation} name={form.other} />}
          {a.phase === 'failed' && <Problem error={a.error} retry={complete ? () => void run(form) : undefined} />}
          {b.phase === 'failed' && a.phase !== 'failed' && <Problem error={b.error} />}
          {a.phase === 'cancelled' && <Callout tone="warn" role="status"><p>Cancelled. What was computed is gone; nothing else has changed.</p></Callout>}
          {a.phase === 'none' && !result && (
            <Card>
              {choices.loading && !choices.models ? <Loading what="models" /> : (
                <Empty title="Choose a model and a period">
                  <p>The same engine, costs and risk rules as in training trade it bar by bar.<br />A year of hourly bars takes a blink.</p>
                </Empty>
              )}
            </Card>
          )}
          {result && (
            <div class={`stack ${a.phase === 'busy' ? 'busy' : ''}`}>
              <Lead result={result} other={other} comparison={comparison.data} detail={choices.detail?.version.reference === result.decider ? choices.detail : undefined} version={version} month={month} />
              <HeadlineTiles a={result} b={other} words={words} />
              <section class="card" id="chart" aria-label="Chart">
                <SimChart a={result} b={other} span={span} onSpan={look} trade={trade} pictureName={`${result.decider.replace(/[^\w.-]+/g, '-')}-${result.from.slice(0, 10)}`} />
              </section>
              <MonthsAndCosts result={result} other={other} month={month} onMonth={chooseMonth} />
              <TradeTable result={result} span={span} selected={trade} onTrade={chooseTrade} />
              <AllMetrics a={result} b={other} words={words} />
            </div>
          )}
        </div>
      </div>
    </>
  );
}
