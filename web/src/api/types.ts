// Names for the schemas of docs/api/openapi.yaml; `npm run check` makes schema.d.ts from that file, so that a change of
// the API that this page does not follow is an error of the compiler.
import type { components } from './schema';

type Schemas = components['schemas'];
export type Status = Schemas['Status'];
export type Overview = Schemas['Overview'];
export type Attention = Schemas['Attention'];
export type Definitions = Schemas['MetricDefinitions'];
export type Definition = Definitions['definitions'][number];
export type Instrument = Schemas['Instrument'];
export type Quality = Schemas['Quality'];
export type Coverage = Schemas['Coverage'];
export type Candles = Schemas['Candles'];
export type Model = Schemas['Model'];
export type ModelVersion = Schemas['ModelVersion'];
export type ModelVersionDetail = Schemas['ModelVersionDetail'];
export type SimulationRequest = Schemas['SimulationRequest'];
export type SimulationDefaults = Schemas['SimulationDefaults'];
export type CostOverrides = Schemas['CostOverrides'];
export type WhatIf = Schemas['WhatIf'];
export type Simulation = Schemas['Simulation'];
export type Metric = Schemas['Metric'];
export type Costs = Schemas['Costs'];
export type Month = Schemas['Month'];
export type Result = Schemas['Result'];
export type Series = Schemas['Series'];
export type Trade = Schemas['Trade'];
export type TradePage = Schemas['TradePage'];
export type Comparison = Schemas['Comparison'];
export type Run = Schemas['Run'];
export type RunDetail = Schemas['RunDetail'];
export type RunComparison = Schemas['RunComparison'];
export type Curves = Schemas['Curves'];
export type Trials = Schemas['Trials'];
export type Study = Schemas['Study'];
export type StudyDetail = Schemas['StudyDetail'];
export type StudyTrial = Schemas['StudyTrial'];
export type Verdict = Schemas['Verdict'];
