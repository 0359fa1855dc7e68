import type { Verdict } from '../api/types';
import { Badge, type Tone } from './parts';

const WORDS: Record<string, [Tone, string, string]> = {
  loses: ['bad', 'loses', 'Out of sample, after all costs, it lost money.'],
  unproven: ['warn', 'unproven', 'Out of sample it earned, but luck and the number of things tried explain as much.'],
  edge: ['good', 'edge', 'Out of sample, after all costs and counting everything tried, it earned more than luck explains.'],
};

export function VerdictBadge(props: { verdict: Verdict }) {
  const [tone, word, text] = WORDS[props.verdict ?? ''] ?? ['', 'not judged', 'No training of it was judged.'];
  return <Badge tone={tone as Tone} tip={text}>{word}</Badge>;
}

/** The verdict in full: its first line large, what it rests on below. */
export function VerdictText(props: { verdict: Verdict; text: string }) {
  const [first, ...rest] = props.text.split('\n').filter(Boolean);
  return (
    <>
      <p class="lead"><VerdictBadge verdict={props.verdict} /> {first}</p>
      {rest.length > 0 && <div class="small verdict-rest">{rest.map((line) => <p key={line}>{line}</p>)}</div>}
    </>
  );
}
