// Addresses live behind the #, so that any static server works and nothing of them reaches a log:
//   #/simulate?model=quickstart-eurusd:1&from=2017-03-01
// `tradewind serve` prints an address whose fragment also carries the token; it is taken out at once.

export interface Route {
  page: string;
  rest: string[];
  query: Record<string, string>;
}

export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#\/?/, '');
  const cut = text.indexOf('?');
  const path = cut < 0 ? text : text.slice(0, cut);
  const query: Record<string, string> = {};
  if (cut >= 0) {
    for (const [key, value] of new URLSearchParams(text.slice(cut + 1))) query[key] = value;
  }
  const parts = path.split('/').filter(Boolean).map(decode);
  return { page: parts[0] ?? '', rest: parts.slice(1), query };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The opposite; empty and missing values leave no trace. */
export function formatRoute(page: string, rest: string[] = [], query: Record<string, string | number | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(key, String(value));
  }
  // Colons and commas are common in names and harmless here; readable addresses are worth keeping them.
  const tail = params.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%40', '@');
  const path = [page, ...rest].map((part) => encodeURIComponent(part).replaceAll('%3A', ':').replaceAll('%40', '@')).join('/');
  return `#/${path}${tail ? `?${tail}` : ''}`;
}

/** Takes the token out of a fragment such as "#token=abc" or "#/simulate?model=x&token=abc". */
export function splitToken(hash: string): { token?: string; hash: string } {
  const match = /(^#|[?&#])token=([^&]*)/.exec(hash);
  if (!match) return { hash };
  const token = decode(match[2] ?? '');
  let rest = hash.slice(0, match.index) + (match[1] === '&' || match[1] === '?' ? match[1] : '#') + hash.slice(match.index + match[0].length);
  rest = rest.replace('#&', '#').replace('?&', '?').replace('&&', '&').replace(/[?&]$/, '');
  if (rest === '#') rest = '';
  return { token, hash: rest };
}
