// The calls of docs/api/openapi.yaml, one function each.
import { change, get, post } from './http';
import type {
  Candles, Comparison, Coverage, Curves, Definitions, Instrument, Model, ModelVersionDetail, Overview, Quality, Result, Run,
  RunComparison, RunDetail, Series, Simulation, SimulationRequest, Status, Study, StudyDetail, StudyTrial, TradePage, Trials,
} from './types';

type Signal = AbortSignal | undefined;
const part = encodeURIComponent;
/** Instants of the API from Unix milliseconds. */
export const iso = (ms: number) => new Date(ms).toISOString();

export const getStatus = (signal?: Signal) => get<Status>('status', {}, signal);
export const getOverview = (signal?: Signal) => get<Overview>('overview', {}, signal);

export const listInstruments = async (signal?: Signal) =>
  (await get<{ instruments: Instrument[] }>('instruments', {}, signal)).instruments;
const instrumentPath = (symbol: string, freq: string) => `instruments/${part(symbol)}/${part(freq)}`;
export const getQuality = (symbol: string, freq: string, signal?: Signal) =>
  get<Quality>(`${instrumentPath(symbol, freq)}/quality`, {}, signal);
export const getCoverage = (symbol: string, freq: string, signal?: Signal) =>
  get<Coverage>(`${instrumentPath(symbol, freq)}/coverage`, {}, signal);
export const getBars = (symbol: string, freq: string, window: Window, signal?: Signal) =>
  get<Candles>(`${instrumentPath(symbol, freq)}/bars`, windowQuery(window), signal);

export const listModels = async (signal?: Signal) => (await get<{ models: Model[] }>('models', {}, signal)).models;
export const getModelVersion = (name: string, version: number, signal?: Signal) =>
  get<ModelVersionDetail>(`models/${part(name)}/versions/${version}`, {}, signal);

/** Unix milliseconds; open ends when absent. */
export interface Window {
  from?: number | undefined;
  to?: number | undefined;
  maxPoints: number;
}

const windowQuery = (window: Window) => ({
  from: window.from === undefined ? undefined : iso(window.from),
  to: window.to === undefined ? undefined : iso(window.to),
  max_points: Math.max(10, Math.min(20_000, Math.round(window.maxPoints))),
});

export const listSimulations = async (signal?: Signal) =>
  (await get<{ simulations: Simulation[] }>('simulations', {}, signal)).simulations;
export const startSimulation = (request: SimulationRequest, waitMs: number, signal?: Signal) =>
  post<Simulation>(`simulations?wait_ms=${waitMs}`, request, signal);
export const getSimulation = (id: string, signal?: Signal) => get<Simulation>(`simulations/${id}`, {}, signal);
export const cancelSimulation = (id: string) => post<Simulation>(`simulations/${id}/cancel`, undefined);
export const deleteSimulation = (id: string) => change('DELETE', `simulations/${id}`);
export const getResult = (id: string, signal?: Signal) => get<Result>(`simulations/${id}/result`, {}, signal);

// What the chart will ask for once the page around it is there is asked for beside the result.
let chartPoints = 0;
let early: { id: string; maxPoints: number; series: Promise<Series> }[] = [];
const EARLY_MAX = 2;
/** Asks for the whole period, with as many points as the chart asked for last. */
export function expectSeries(id: string): void {
  if (!chartPoints) return;
  const series = get<Series>(`simulations/${id}/series`, windowQuery({ maxPoints: chartPoints }));
  // Who asks for it learns of the failure.
  series.catch(() => undefined);
  early = [...early.slice(1 - EARLY_MAX), { id, maxPoints: chartPoints, series }];
}
export function getSeries(id: string, window: Window, signal?: Signal): Promise<Series> {
  chartPoints = window.maxPoints;
  const whole = window.from === undefined && window.to === undefined;
  const found = whole ? early.find((each) => each.id === id && each.maxPoints === window.maxPoints) : undefined;
  if (!found) return get<Series>(`simulations/${id}/series`, windowQuery(window), signal);
  early = early.filter((each) => each !== found);
  return found.series;
}
export const compareSimulations = (id: string, other: string, signal?: Signal) =>
  get<Comparison>(`simulations/${id}/compare/${other}`, {}, signal);

export interface TradeQuery {
  sort: string;
  descending: boolean;
  direction?: string;
  outcome?: string;
  exitReason?: string;
  from?: number;
  to?: number;
  offset: number;
  limit: number;
}

export const listTrades = (id: string, query: TradeQuery, signal?: Signal) =>
  get<TradePage>(`simulations/${id}/trades`, {
    sort: query.sort,
    order: query.descending ? 'desc' : 'asc',
    direction: query.direction,
    outcome: query.outcome,
    exit_reason: query.exitReason,
    from: query.from === undefined ? undefined : iso(query.from),
    to: query.to === undefined ? undefined : iso(query.to),
    offset: query.offset,
    limit: query.limit,
  }, signal);

export interface RunQuery {
  filter?: string;
  orderBy?: string;
  nested?: boolean;
  offset: number;
  limit: number;
}

export const listRuns = (query: RunQuery, signal?: Signal) =>
  get<{ runs: Run[]; more: boolean }>('runs', {
    filter: query.filter, order_by: query.orderBy, nested: query.nested || undefined, offset: query.offset, limit: query.limit,
  }, signal);
export const getRun = (id: string, signal?: Signal) => get<RunDetail>(`runs/${id}`, {}, signal);
export const compareRuns = (ids: string[], signal?: Signal) => get<RunComparison>('runs/compare', { run: ids }, signal);
export const getCurves = (id: string, keys: string[], signal?: Signal) =>
  get<Curves>(`runs/${id}/curves`, { key: keys.slice(0, 20), max_points: 600 }, signal);
export const listTrials = (signal?: Signal) => get<Trials>('trials', { limit: 1000 }, signal);

export const listStudies = async (signal?: Signal) => (await get<{ studies: Study[] }>('studies', {}, signal)).studies;
export const getStudy = (id: number, signal?: Signal) => get<StudyDetail>(`studies/${id}`, {}, signal);
export const listStudyTrials = (id: number, signal?: Signal) =>
  get<{ total: number; trials: StudyTrial[] }>(`studies/${id}/trials`, { limit: 1000 }, signal);

let definitions: Promise<Definitions> | undefined;
/** Kept: they are part of the program. */
export function getDefinitions(): Promise<Definitions> {
  definitions ??= get<Definitions>('metric-definitions').catch((error) => {
    definitions = undefined;
    throw error;
  });
  return definitions;
}
