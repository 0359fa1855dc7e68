// The sliders of Stress, as an address and as the `what_if` of a request.
import type { WhatIf } from '../api/types';

export interface Stress {
  spread: number;
  latency: number;
  missing: number;
  path: 'history' | 'resampled' | 'shocked';
  block: number;
  shock: number;
  seed: number;
}

export const CALM: Stress = { spread: 1, latency: 0, missing: 0, path: 'history', block: 120, shock: -0.03, seed: 1 };

const LIMITS: Record<Exclude<keyof Stress, 'path'>, [number, number]> = {
  spread: [1, 3], latency: [0, 20], missing: [0, 0.5], block: [1, 10_000], shock: [-0.5, 0.5], seed: [0, 1_000_000_000],
};

export function stressOf(query: Record<string, string>): Stress {
  const found: Stress = { ...CALM };
  for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    const value = Number(query[key]);
    const [low, high] = LIMITS[key];
    if (query[key] && Number.isFinite(value)) found[key] = Math.min(high, Math.max(low, value));
  }
  found.latency = Math.round(found.latency);
  found.block = Math.round(found.block);
  found.seed = Math.round(found.seed);
  if (query.path === 'resampled' || query.path === 'shocked') found.path = query.path;
  return found;
}

export function stressQuery(stress: Stress): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [key, value] of Object.entries(stress)) if (value !== CALM[key as keyof Stress]) query[key] = String(value);
  return query;
}

/** Only what matters for the chosen path is sent. `spread` always is, so that the view is one even when nothing is changed. */
export function whatIfOf(stress: Stress): WhatIf {
  return {
    spread: stress.spread,
    ...(stress.latency ? { latency_bars: stress.latency } : {}),
    ...(stress.missing ? { missing: stress.missing } : {}),
    ...(stress.path !== 'history' ? { path: stress.path } : {}),
    ...(stress.path === 'resampled' ? { block_bars: stress.block } : {}),
    ...(stress.path === 'shocked' ? { shock: stress.shock } : {}),
    ...(stress.missing || stress.path === 'resampled' ? { seed: stress.seed } : {}),
  } as WhatIf;
}

export function isCalm(stress: Stress): boolean {
  return stress.spread === 1 && stress.latency === 0 && stress.missing === 0 && stress.path === 'history';
}

/** "spread times 2, 3 bars late": what is assumed, in words. */
export function describe(stress: Stress): string {
  const parts: string[] = [];
  if (stress.spread !== 1) parts.push(`${stress.spread} times the spread`);
  if (stress.latency) parts.push(`decisions ${stress.latency} bar${stress.latency === 1 ? '' : 's'} late`);
  if (stress.missing) parts.push(`${Math.round(stress.missing * 100)}% of the bars missing`);
  if (stress.path === 'resampled') parts.push(`the period in another order, blocks of ${stress.block} bars`);
  if (stress.path === 'shocked') parts.push(`a jump of ${(stress.shock * 100).toFixed(1)}% in the middle`);
  return parts.length ? parts.join(', ') : 'nothing changed yet';
}
