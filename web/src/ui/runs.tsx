import type { Run } from '../api/types';
import { Badge, type Tone } from './parts';

const TONES: Record<Run['status'], [Tone, string]> = {
  RUNNING: ['info', 'running'], SCHEDULED: ['', 'scheduled'], FINISHED: ['good', 'finished'], FAILED: ['bad', 'failed'], KILLED: ['warn', 'stopped'],
};

export function RunStatus(props: { status: Run['status'] }) {
  const [tone, word] = TONES[props.status] ?? ['', props.status];
  return <Badge tone={tone}>{word}</Badge>;
}
