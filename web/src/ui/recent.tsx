// Simulations that the server still knows: they outlive a reload of the page.
import { useEffect, useState } from 'preact/hooks';
import { deleteSimulation, listSimulations } from '../api/calls';
import type { Simulation } from '../api/types';
import { useResource } from '../lib/hooks';
import { ago } from '../lib/format';
import { Badge, type Tone } from './parts';

const STATES: Record<Simulation['state'], [Tone, string]> = {
  queued: ['info', 'waiting'], running: ['info', 'running'], done: ['', ''], failed: ['bad', 'failed'], cancelled: ['warn', 'cancelled'],
};

export function RecentSimulations(props: { current: string | undefined; onOpen: (simulation: Simulation) => void; onHandle: (reload: () => void) => void }) {
  const [open, setOpen] = useState(false);
  const list = useResource('simulations', listSimulations, open ? 5000 : 0);
  useEffect(() => props.onHandle(list.reload), [list.reload]);
  const shown = (list.data ?? []).filter((simulation) => !simulation.what_if);
  if (!shown.length) return null;
  return (
    <details class="recent" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Simulations kept ({shown.length})</summary>
      <ul>
        {shown.slice(0, 40).map((simulation) => {
          const [tone, word] = STATES[simulation.state];
          const { from, to } = simulation.request;
          return (
            <li key={simulation.id} class={simulation.id === props.current ? 'selected' : ''}>
              <button type="button" class="link" onClick={() => props.onOpen(simulation)}>
                <span>{simulation.decider}</span> {word && <Badge tone={tone}>{word}</Badge>}
                <span class="muted small">{from ?? 'begin'} to {to ?? 'end'}, {ago(simulation.created, Date.now())}</span>
              </button>
              <button type="button" class="button quiet tiny" aria-label={`Forget ${simulation.decider}, ${from ?? ''} to ${to ?? ''}`} onClick={() => { deleteSimulation(simulation.id).then(list.reload, list.reload); }}>×</button>
            </li>
          );
        })}
      </ul>
    </details>
  );
}
