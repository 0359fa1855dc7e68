import { useEffect, useRef, useState } from 'preact/hooks';
import { getStatus } from './api/calls';
import { DataPage } from './pages/data';
import { ExperimentsPage } from './pages/experiments';
import { ModelsPage } from './pages/models';
import { OverviewPage } from './pages/overview';
import { SimulatePage } from './pages/simulate';
import { StressPage } from './pages/stress';
import { useReachable, useResource, useRoute } from './lib/hooks';
import { Icon, Mark } from './ui/icons';
import { Empty, TipLayer } from './ui/parts';
import { ToastLayer } from './ui/toast';

const PAGES = [
  ['overview', 'Overview'],
  ['simulate', 'Simulate'],
  ['stress', 'Stress'],
  ['models', 'Models'],
  ['experiments', 'Experiments'],
  ['data', 'Data'],
] as const;

function toggleTheme(): void {
  const root = document.documentElement;
  const next = root.dataset.theme === 'dark' ? 'light' : 'dark';
  root.dataset.theme = next;
  try {
    localStorage.setItem('tradewind.theme', next);
  } catch {
    // It holds for this page then.
  }
}

/** Asks again and again until the server is back; every answer tells the rest of the page. */
function useRescue(reachable: boolean): void {
  useEffect(() => {
    if (reachable) return undefined;
    const timer = setInterval(() => { getStatus().catch(() => undefined); }, 1500);
    return () => clearInterval(timer);
  }, [reachable]);
}

function PageOf(props: { page: string; rest: string[]; query: Record<string, string>; turn: number }) {
  switch (props.page) {
    case '':
    case 'overview': return <OverviewPage />;
    case 'simulate': return <SimulatePage key={props.turn} query={props.query} />;
    case 'stress': return <StressPage key={props.turn} query={props.query} />;
    case 'models': return <ModelsPage rest={props.rest} />;
    case 'experiments': return <ExperimentsPage rest={props.rest} query={props.query} />;
    case 'data': return <DataPage rest={props.rest} />;
    default:
      return <Empty title="There is no such page"><p><a href="#/overview">Go to the overview</a></p></Empty>;
  }
}

export function App() {
  const route = useRoute();
  const reachable = useReachable();
  const status = useResource('status', (signal) => getStatus(signal), 30_000);
  const main = useRef<HTMLElement>(null);
  const [first, setFirst] = useState(true);
  useRescue(reachable);
  const current = route.page || 'overview';
  useEffect(() => {
    // A new page begins at its top, and a screen reader begins there too.
    if (first) setFirst(false);
    else {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
  }, [current]);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the content</a>
      <header class="rail">
        <a class="brand" href="#/overview"><Mark />Tradewind</a>
        <nav aria-label="Pages">
          {PAGES.map(([page, label]) => (
            <a key={page} href={`#/${page}`} aria-current={page === current ? 'page' : undefined}><Icon name={page} /><span>{label}</span></a>
          ))}
        </nav>
        <div class="foot">
          {status.data && !status.data.authorised && (
            <span class="badge warn" data-tip="Reading works; simulating needs the address that `tradewind serve` printed, which carries the token.">read only</span>
          )}
          <button type="button" class="button tiny" onClick={toggleTheme}>Light or dark</button>
          {status.data && <span class="wrap">{status.data.program}</span>}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {!reachable && <div class="offline" role="alert">The server cannot be reached. Is `tradewind serve` still running? Trying again…</div>}
        <PageOf page={current} rest={route.rest} query={route.query} turn={route.turn} />
      </main>
      <TipLayer />
      <ToastLayer />
    </div>
  );
}
