// One simulation as a page sees it: started or found again, followed to its end, with its result.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { cancelSimulation, expectSeries, getResult, getSimulation, startSimulation } from '../api/calls';
import { ApiError, listen } from '../api/http';
import type { Result, Simulation, SimulationRequest } from '../api/types';

export type Phase = 'none' | 'busy' | 'done' | 'cancelled' | 'failed';

export interface SimState {
  phase: Phase;
  simulation: Simulation | undefined;
  /** Stays while the next one runs, so that the page does not jump. */
  result: Result | undefined;
  error: unknown;
}

export interface SimHandle extends SimState {
  start: (request: SimulationRequest) => Promise<Simulation | undefined>;
  attach: (id: string) => void;
  cancel: () => void;
  clear: () => void;
}

const EMPTY: SimState = { phase: 'none', simulation: undefined, result: undefined, error: undefined };
const WAIT_MS = 1500;

const ended = (simulation: Simulation) => ['done', 'failed', 'cancelled'].includes(simulation.state);

export function useSimulation(): SimHandle {
  const [state, setState] = useState<SimState>(EMPTY);
  const stop = useRef<AbortController>();

  const follow = useCallback(async (first: Promise<Simulation>, signal: AbortSignal): Promise<Simulation | undefined> => {
    const see = (simulation: Simulation) => setState((now) => ({ ...now, phase: 'busy', simulation, error: undefined }));
    try {
      let simulation = await first;
      if (signal.aborted) return undefined;
      if (!ended(simulation)) {
        see(simulation);
        await listen(`simulations/${simulation.id}/events`, (event) => {
          if (event.event !== 'simulation') return true;
          simulation = JSON.parse(event.data) as Simulation;
          if (!signal.aborted) see(simulation);
          return !ended(simulation);
        }, signal);
      }
      if (signal.aborted) return undefined;
      if (simulation.state === 'done') {
        expectSeries(simulation.id);
        const result = await getResult(simulation.id, signal);
        if (!signal.aborted) setState({ phase: 'done', simulation, result, error: undefined });
      } else if (simulation.state === 'failed') {
        const problem = simulation.error;
        const fields = Object.fromEntries((problem?.errors ?? []).map((error) => [error.field, error.message]));
        setState((now) => ({ ...now, phase: 'failed', simulation, error: new ApiError(problem?.status ?? 500, 'The simulation failed', problem?.detail ?? '', fields) }));
      } else {
        setState((now) => ({ ...now, phase: 'cancelled', simulation, error: undefined }));
      }
      return simulation;
    } catch (error) {
      if (signal.aborted) return undefined;
      const lost = error instanceof ApiError && error.status === 404;
      setState((now) => ({
        ...now, phase: 'failed',
        error: lost ? new ApiError(404, 'The server no longer knows this simulation', 'It was restarted, or has forgotten it since. Run it again.') : error,
      }));
      return undefined;
    }
  }, []);

  const begin = useCallback(() => {
    stop.current?.abort();
    stop.current = new AbortController();
    setState((now) => ({ ...now, phase: 'busy', simulation: undefined, error: undefined }));
    return stop.current.signal;
  }, []);

  const start = useCallback((request: SimulationRequest) => {
    const signal = begin();
    return follow(startSimulation(request, WAIT_MS, signal), signal);
  }, [begin, follow]);
  const attach = useCallback((id: string) => {
    const signal = begin();
    void follow(getSimulation(id, signal), signal);
  }, [begin, follow]);
  const cancel = useCallback(() => {
    setState((now) => {
      if (now.simulation) cancelSimulation(now.simulation.id).catch(() => undefined);
      return now;
    });
  }, []);
  const clear = useCallback(() => {
    stop.current?.abort();
    setState(EMPTY);
  }, []);
  useEffect(() => () => stop.current?.abort(), []);
  return { ...state, start, attach, cancel, clear };
}
