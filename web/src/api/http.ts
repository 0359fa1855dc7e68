// One way to the server: the token, problems as errors, time limits, and word of whether it can be reached.
import { EventParser, type ServerEvent } from './sse';

const TOKEN_KEY = 'tradewind.token';
const TIMEOUT_MS = 30_000;

/** An answer with application/problem+json, or none at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** By the name of the field at fault, in words. */
    readonly fields: Record<string, string> = {},
  ) {
    super(detail || title);
    this.name = 'ApiError';
  }
}

let memoryToken: string | undefined;

export function setToken(token: string): void {
  memoryToken = token;
  try {
    localStorage.setItem(TOKEN_KEY, token);
  } catch {
    // Without storage the token lives as long as the page.
  }
}

export function token(): string | undefined {
  if (memoryToken) return memoryToken;
  try {
    return localStorage.getItem(TOKEN_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

type Listener = (reachable: boolean) => void;
const listeners = new Set<Listener>();
let reachable = true;

export function onReachable(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function isReachable(): boolean {
  return reachable;
}

function setReachable(now: boolean): void {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener(now);
}

export type Query = Record<string, string | number | boolean | string[] | undefined | null>;

/** Relative to the page, so that a proxy may put the whole under any path. */
export function apiUrl(path: string, query: Query = {}): string {
  const url = new URL(`api/v1/${path.replace(/^\//, '')}`, document.baseURI);
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') continue;
    if (Array.isArray(value)) for (const each of value) url.searchParams.append(key, each);
    else url.searchParams.set(key, String(value));
  }
  url.hash = '';
  return url.href;
}

function headers(body: boolean): Headers {
  const all = new Headers({ accept: 'application/json' });
  const known = token();
  if (known) all.set('authorization', `Bearer ${known}`);
  if (body) all.set('content-type', 'application/json');
  return all;
}

async function problemOf(response: Response): Promise<ApiError> {
  let title = response.statusText || `Status ${response.status}`;
  let detail = '';
  const fields: Record<string, string> = {};
  try {
    const body = (await response.json()) as { title?: string; detail?: string; errors?: { field: string; message: string }[] };
    title = body.title ?? title;
    detail = body.detail ?? '';
    for (const error of body.errors ?? []) fields[error.field] ??= error.message;
  } catch {
    // Not JSON: the status has to do.
  }
  if (response.status === 401) {
    title = 'This needs the token';
    detail = 'Open the address that `tradewind serve` printed: it carries the token. ' + detail;
  }
  return new ApiError(response.status, title, detail, fields);
}

async function send(method: string, path: string, query: Query, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
  const stop = () => limit.abort();
  signal?.addEventListener('abort', stop);
  let response: Response;
  try {
    response = await fetch(apiUrl(path, query), {
      method,
      headers: headers(body !== undefined),
      body: body === undefined ? null : JSON.stringify(body),
      signal: limit.signal,
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.signal.aborted) throw new ApiError(0, 'The server takes too long', `No answer within ${TIMEOUT_MS / 1000} s.`);
    setReachable(false);
    throw new ApiError(0, 'The server cannot be reached', 'Is `tradewind serve` still running? This page tries again by itself.');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
  setReachable(true);
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await send('GET', path, query, undefined, signal)).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send('POST', path, {}, body, signal);
  return (response.status === 204 ? undefined : response.json()) as Promise<T>;
}

export async function change(method: 'PUT' | 'DELETE' | 'PATCH', path: string, body?: unknown): Promise<void> {
  await send(method, path, {}, body, undefined);
}

/** Fetches a file with the token and hands it to the browser's downloads. */
export async function download(path: string, query: Query, name: string): Promise<void> {
  const blob = await (await send('GET', path, query, undefined, undefined)).blob();
  saveBlob(blob, name);
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Listens until `signal` aborts or `onEvent` returns false; comes back after losses with growing pauses. Throws only
 * what a repetition cannot mend (a problem below 500).
 */
export async function listen(path: string, onEvent: (event: ServerEvent) => boolean | void, signal: AbortSignal): Promise<void> {
  let pause = 500;
  let lastId = '';
  while (!signal.aborted) {
    try {
      const all = headers(false);
      all.set('accept', 'text/event-stream');
      if (lastId) all.set('last-event-id', lastId);
      const response = await fetch(apiUrl(path), { headers: all, signal, cache: 'no-store', credentials: 'omit' });
      setReachable(true);
      if (!response.ok) {
        const problem = await problemOf(response);
        if (response.status < 500 && response.status !== 429) throw problem;
      } else if (response.body) {
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        const parser = new EventParser();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          pause = 500;
          for (const event of parser.push(decoder.decode(value, { stream: true }))) {
            lastId = event.id || lastId;
            if (onEvent(event) === false) {
              await reader.cancel();
              return;
            }
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError) throw error;
      setReachable(false);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 10_000);
  }
}
