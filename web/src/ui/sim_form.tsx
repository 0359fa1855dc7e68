// The fields that a simulation begins with; Stress uses the first half of them too.
import { useMemo } from 'preact/hooks';
import { getModelVersion, listInstruments, listModels } from '../api/calls';
import type { Instrument, Model, ModelVersionDetail } from '../api/types';
import { addDays, namedPeriods, type NamedPeriod, type Period } from '../lib/dates';
import { useResource } from '../lib/hooks';
import { NO_COSTS, resolveModel, type CostForm, type SimForm } from '../lib/request';
import { Field } from './parts';

export interface Choices {
  models: Model[] | undefined;
  instruments: Instrument[] | undefined;
  detail: ModelVersionDetail | undefined;
  error: unknown;
  loading: boolean;
  limits: Period | undefined;
  periods: (NamedPeriod | { id: string; label: string; group: 'Model'; from: string; to: string })[];
  /** First trading date of the terminal holdout, when the period's data have one. */
  holdoutFrom: string | undefined;
  /** What the form starts with: everything before the holdout, so that looking costs no look. */
  usual: Period | undefined;
  reload: () => void;
}

export function useChoices(form: SimForm): Choices {
  const models = useResource('models', listModels);
  const instruments = useResource('instruments', listInstruments);
  const version = models.data ? resolveModel(models.data, form.model) : undefined;
  const detail = useResource(version ? `${version.name}:${version.version}` : '', (signal) => getModelVersion(version?.name ?? '', version?.version ?? 0, signal));
  const current = version && detail.data?.version.reference === version.reference ? detail.data : undefined;
  return useMemo(() => {
    const simulate = current?.simulate ?? undefined;
    const symbol = form.instrument || simulate?.instrument;
    const freq = simulate?.freq;
    const other = instruments.data?.find((each) => each.instrument === symbol && each.freq === freq);
    const limits: Period | undefined = simulate && symbol === simulate.instrument
      ? { from: simulate.from, to: simulate.to }
      : other && { from: other.from, to: other.to };
    const holdout = current?.manifest?.holdout_from?.slice(0, 10) || undefined;
    const holdoutFrom = symbol === simulate?.instrument && holdout && limits && holdout <= limits.to ? holdout : undefined;
    const before = holdoutFrom && limits && holdoutFrom > limits.from ? { from: limits.from, to: addDays(holdoutFrom, -1) } : undefined;
    const periods: Choices['periods'] = limits ? [...namedPeriods(limits)] : [];
    if (before) periods.unshift({ id: 'before', label: 'All before the holdout', group: 'Model', ...before });
    if (holdoutFrom && limits) periods.splice(before ? 1 : 0, 0, { id: 'holdout', label: 'Holdout and after (a counted look)', group: 'Model', from: holdoutFrom, to: limits.to });
    return {
      models: models.data, instruments: instruments.data, detail: current,
      error: models.error ?? instruments.error ?? detail.error, loading: models.loading || detail.loading,
      limits, periods, holdoutFrom, usual: before ?? limits, reload: () => { models.reload(); instruments.reload(); detail.reload(); },
    };
  }, [models.data, models.error, models.loading, instruments.data, instruments.error, current, detail.error, detail.loading, form.instrument]);
}

export function ModelSelect(props: { label: string; value: string; none?: string; models: Model[]; error?: string; hint?: string; onChange: (value: string) => void }) {
  const known = props.value === '' || resolveModel(props.models, props.value) !== undefined;
  return (
    <Field label={props.label} error={props.error} hint={props.hint}>
      {(attributes) => (
        <select {...attributes} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
          {props.none !== undefined && <option value="">{props.none}</option>}
          {!known && <option value={props.value}>{props.value} (not there)</option>}
          {props.models.filter((model) => model.versions.length > 0).map((model) => (
            <optgroup key={model.name} label={model.name}>
              {Object.entries(model.aliases).map(([alias, version]) => (
                <option key={alias} value={`${model.name}@${alias}`}>{model.name} @{alias} (v{version})</option>
              ))}
              {model.versions.map((version) => (
                <option key={version.version} value={version.reference}>{model.name} v{version.version}{version.version === model.latest_version ? ', newest' : ''}</option>
              ))}
            </optgroup>
          ))}
        </select>
      )}
    </Field>
  );
}

export function PeriodFields(props: { form: SimForm; choices: Choices; errors: Record<string, string>; onChange: (change: Partial<SimForm>) => void }) {
  const { form, choices, errors } = props;
  const limits = choices.limits;
  const chosen = choices.periods.find((period) => period.from === form.from && period.to === form.to);
  const groups = [...new Set(choices.periods.map((period) => period.group))];
  const reaches = choices.holdoutFrom && form.to >= choices.holdoutFrom;
  return (
    <>
      <Field label="Period" hint={limits ? `Data from ${limits.from} to ${limits.to}.` : undefined}>
        {(attributes) => (
          <select {...attributes} value={chosen?.id ?? ''} disabled={!limits} onChange={(event) => {
            const period = choices.periods.find((each) => each.id === event.currentTarget.value);
            if (period) props.onChange({ from: period.from, to: period.to });
          }}>
            {!chosen && <option value="">as dated below</option>}
            {groups.map((group) => (
              <optgroup key={group} label={group}>
                {choices.periods.filter((period) => period.group === group).map((period) => <option key={period.id} value={period.id}>{period.label}</option>)}
              </optgroup>
            ))}
          </select>
        )}
      </Field>
      <div class="pair">
        <Field label="From" error={errors.from}>
          {(attributes) => <input {...attributes} type="date" value={form.from} min={limits?.from} max={limits?.to} onChange={(event) => props.onChange({ from: event.currentTarget.value })} />}
        </Field>
        <Field label="To" error={errors.to}>
          {(attributes) => <input {...attributes} type="date" value={form.to} min={limits?.from} max={limits?.to} onChange={(event) => props.onChange({ to: event.currentTarget.value })} />}
        </Field>
      </div>
      {reaches && (
        <p class="small muted">From {choices.holdoutFrom} on this is the model's terminal holdout: each run that reaches into it is a <span class="nowrap"><button type="button" class="define" data-tip="The last part of the data, which neither training nor search may read. Every look at it goes into the ledger, because a test that is looked at often is a test no more.">counted look</button>.</span></p>
      )}
    </>
  );
}

export function InstrumentField(props: { form: SimForm; choices: Choices; error?: string | undefined; onChange: (change: Partial<SimForm>) => void }) {
  const simulate = props.choices.detail?.simulate;
  const options = (props.choices.instruments ?? []).filter((each) => each.freq === simulate?.freq);
  const own = simulate?.instrument ?? '';
  return (
    <Field label="Instrument" error={props.error} hint={simulate ? `Bars of ${simulate.freq}, as the model learned.` : undefined}>
      {(attributes) => (
        <select {...attributes} value={props.form.instrument || own} disabled={!simulate} onChange={(event) => props.onChange({ instrument: event.currentTarget.value === own ? '' : event.currentTarget.value, from: '', to: '' })}>
          {own && !options.some((each) => each.instrument === own) && <option value={own}>{own} (not imported)</option>}
          {options.map((each) => <option key={each.instrument} value={each.instrument}>{each.instrument}{each.instrument === own ? '' : ' (it learned on another)'}</option>)}
        </select>
      )}
    </Field>
  );
}

export function CostFields(props: { costs: CostForm; choices: Choices; errors: Record<string, string>; onChange: (costs: CostForm) => void }) {
  const usual = props.choices.detail?.simulate?.costs;
  const changed = JSON.stringify(props.costs) !== JSON.stringify(NO_COSTS);
  const set = (key: keyof CostForm, value: string) => props.onChange({ ...props.costs, [key]: value });
  const amount = (key: keyof CostForm, label: string, placeholder: number | undefined, step: string) => (
    <Field label={label} error={props.errors[key]}>
      {(attributes) => <input {...attributes} type="number" inputMode="decimal" min="0" step={step} value={props.costs[key]} placeholder={placeholder === undefined ? '' : String(placeholder)} onInput={(event) => set(key, event.currentTarget.value)} />}
    </Field>
  );
  return (
    <details open={changed}>
      <summary>Costs{changed ? ', changed' : ', as in training'}</summary>
      <div class="fields">
        <div class="pair">
          {amount('spreadTimes', 'Spread, times', usual?.spread_multiplier, '0.1')}
          {amount('spreadPips', 'Spread, pips', usual?.spread_pips, '0.1')}
        </div>
        <div class="pair">
          {amount('slippagePips', 'Slippage, pips', usual?.slippage_pips, '0.05')}
          {amount('commission', 'Per 100k', usual?.commission_per_100k, '0.5')}
        </div>
        <Field label="Financing overnight">
          {(attributes) => (
            <select {...attributes} value={props.costs.financing} onChange={(event) => set('financing', event.currentTarget.value)}>
              <option value="">as trained{usual ? ` (${usual.financing})` : ''}</option>
              <option value="rates">policy rates</option>
              <option value="hold_last">policy rates, the last held on</option>
              <option value="off">off</option>
            </select>
          )}
        </Field>
        {changed && <button type="button" class="button tiny" onClick={() => props.onChange(NO_COSTS)}>Back to the model's own</button>}
      </div>
    </details>
  );
}
