// What the form of a simulation holds, as an address and as a request.
import type { CostOverrides, Model, ModelVersion, SimulationRequest, WhatIf } from '../api/types';
import { isDate } from './dates';

/** Texts as typed; empty means "as the model's style has it". */
export interface CostForm {
  spreadTimes: string;
  spreadPips: string;
  slippagePips: string;
  commission: string;
  financing: string;
}

export interface SimForm {
  model: string;
  other: string;
  instrument: string;
  from: string;
  to: string;
  costs: CostForm;
}

export const NO_COSTS: CostForm = { spreadTimes: '', spreadPips: '', slippagePips: '', commission: '', financing: '' };

export function formOf(query: Record<string, string>): SimForm {
  const date = (text: string | undefined) => (text && isDate(text) ? text : '');
  return {
    model: query.model ?? '',
    other: query.with ?? '',
    instrument: /^[A-Z]{6}$/.test(query.instrument ?? '') ? (query.instrument as string) : '',
    from: date(query.from),
    to: date(query.to),
    costs: {
      spreadTimes: query.spread_x ?? '',
      spreadPips: query.spread ?? '',
      slippagePips: query.slippage ?? '',
      commission: query.commission ?? '',
      financing: ['rates', 'hold_last', 'off'].includes(query.financing ?? '') ? (query.financing as string) : '',
    },
  };
}

export function queryOf(form: SimForm): Record<string, string> {
  return {
    model: form.model, with: form.other, instrument: form.instrument, from: form.from, to: form.to,
    spread_x: form.costs.spreadTimes, spread: form.costs.spreadPips, slippage: form.costs.slippagePips,
    commission: form.costs.commission, financing: form.costs.financing,
  };
}

interface Limit { key: keyof CostForm; api: keyof CostOverrides; max: number; what: string }
const LIMITS: Limit[] = [
  { key: 'spreadTimes', api: 'spread_multiplier', max: 100, what: 'The multiple of the spread' },
  { key: 'spreadPips', api: 'spread_pips', max: 1000, what: 'The spread' },
  { key: 'slippagePips', api: 'slippage_pips', max: 1000, what: 'The slippage' },
  { key: 'commission', api: 'commission_per_100k', max: 10_000, what: 'The commission' },
];

/** Errors by the field of the form; empty when all is well. Limits are those of the API. */
export function checkForm(form: SimForm): Record<string, string> {
  const errors: Record<string, string> = {};
  if (!form.model) errors.model = 'Choose a model.';
  if (form.other && form.other === form.model) errors.other = 'Choose another model than the first.';
  if (form.from && form.to && form.from > form.to) errors.to = 'The period ends before it begins.';
  for (const { key, max, what } of LIMITS) {
    const text = form.costs[key].trim();
    if (!text) continue;
    const value = Number(text);
    if (!Number.isFinite(value)) errors[key] = `${what} is not a number.`;
    else if (value < 0 || value > max) errors[key] = `${what} must be between 0 and ${max}.`;
  }
  return errors;
}

export function requestOf(form: SimForm, model: string, whatIf?: WhatIf): SimulationRequest {
  const costs: Record<string, number | string> = {};
  for (const { key, api } of LIMITS) if (form.costs[key].trim()) costs[api] = Number(form.costs[key]);
  if (form.costs.financing) costs.financing = form.costs.financing;
  return {
    model,
    ...(form.instrument ? { instrument: form.instrument } : {}),
    ...(form.from ? { from: form.from } : {}),
    ...(form.to ? { to: form.to } : {}),
    ...(Object.keys(costs).length ? { costs: costs as CostOverrides } : {}),
    ...(whatIf ? { what_if: whatIf } : {}),
  };
}

/** A request of the server's list, back into the form. */
export function formOfRequest(request: SimulationRequest, other: string): SimForm {
  const text = (value: number | undefined) => (value === undefined ? '' : String(value));
  const costs = request.costs ?? {};
  return {
    model: request.model, other, instrument: request.instrument ?? '', from: request.from ?? '', to: request.to ?? '',
    costs: {
      spreadTimes: text(costs.spread_multiplier), spreadPips: text(costs.spread_pips), slippagePips: text(costs.slippage_pips),
      commission: text(costs.commission_per_100k), financing: costs.financing ?? '',
    },
  };
}

/** Fields of the form for the API's names of fields at fault. */
export function fieldErrors(fields: Record<string, string>): Record<string, string> {
  const names: Record<string, string> = {
    '/model': 'model', '/instrument': 'instrument', '/freq': 'instrument', '/from': 'from', '/to': 'to',
    '/costs/spread_multiplier': 'spreadTimes', '/costs/spread_pips': 'spreadPips', '/costs/slippage_pips': 'slippagePips',
    '/costs/commission_per_100k': 'commission', '/costs/financing': 'financing',
  };
  const found: Record<string, string> = {};
  for (const [field, message] of Object.entries(fields)) found[names[field] ?? field] = message;
  return found;
}

/** The version that "name:3", "name@alias" or "name" means. */
export function resolveModel(models: Model[], reference: string): ModelVersion | undefined {
  const exact = models.find((model) => model.name === reference);
  if (exact) return exact.versions[0];
  const at = reference.lastIndexOf('@');
  if (at > 0) {
    const model = models.find((each) => each.name === reference.slice(0, at));
    const alias = reference.slice(at + 1);
    const version = alias === 'latest' ? model?.latest_version : model?.aliases[alias];
    return model?.versions.find((each) => each.version === version);
  }
  const colon = reference.lastIndexOf(':');
  if (colon < 0) return undefined;
  const model = models.find((each) => each.name === reference.slice(0, colon));
  return model?.versions.find((each) => String(each.version) === reference.slice(colon + 1));
}
