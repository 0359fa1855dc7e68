import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { isReachable, onReachable } from '../api/http';
import { parseRoute, type Route } from './route';

export interface Resource<T> {
  data: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/**
 * What `load` gives, again whenever `key` changes (an empty key loads nothing). The data before stay while new ones come.
 * After a loss of the server it loads again by itself; `everyMs` polls while the page is seen.
 */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMs = 0): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: unknown; loading: boolean }>({ key: '', loading: Boolean(key) });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(() => setTurn((now) => now + 1), []);
  useEffect(() => {
    if (!key) {
      setState({ key, loading: false });
      return undefined;
    }
    const stop = new AbortController();
    setState((now) => ({ ...now, loading: true, ...(now.key === key ? {} : { key, data: now.data, error: undefined }) }));
    latest.current(stop.signal).then(
      (data) => { if (!stop.signal.aborted) setState({ key, data, loading: false }); },
      (error) => { if (!stop.signal.aborted) setState((now) => ({ ...now, key, error, loading: false })); },
    );
    return () => stop.abort();
  }, [key, turn]);
  useEffect(() => {
    if (!key || !everyMs) return undefined;
    const timer = setInterval(() => { if (!document.hidden && isReachable()) reload(); }, everyMs);
    return () => clearInterval(timer);
  }, [key, everyMs, reload]);
  useEffect(() => onReachable((now) => { if (now) reload(); }), [reload]);
  return { data: state.data, error: state.error, loading: state.loading, reload };
}

/** `turn` counts the changes: an address that is opened anew begins its page anew. */
export function useRoute(): Route & { turn: number } {
  const [route, setRoute] = useState(() => ({ ...parseRoute(location.hash), turn: 0 }));
  useEffect(() => {
    const change = () => setRoute((now) => ({ ...parseRoute(location.hash), turn: now.turn + 1 }));
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return route;
}

/** Changes the address without an entry in the history and without an event. */
export function replaceAddress(hash: string): void {
  if (location.hash !== hash) history.replaceState(history.state, '', hash);
}

export function useReachable(): boolean {
  const [now, setNow] = useState(isReachable());
  useEffect(() => onReachable(setNow), []);
  return now;
}

export function useTitle(title: string): void {
  useEffect(() => { document.title = `${title} · Tradewind`; }, [title]);
}

/** Whether the dark theme is on, followed as it changes. */
export function useDark(): boolean {
  const read = () => document.documentElement.dataset.theme === 'dark';
  const [dark, setDark] = useState(read);
  useEffect(() => {
    const watch = new MutationObserver(() => setDark(read()));
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => watch.disconnect();
  }, []);
  return dark;
}
