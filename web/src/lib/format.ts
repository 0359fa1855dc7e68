// Numbers, money and instants for people. Everything is in UTC, as the program's own output is; FX has no other clock.

const MINUS = '\u2212';
const NONE = '\u2013';

// Kept by their decimals: making one takes a hundred times as long as using it.
const formatters: Intl.NumberFormat[] = [];
function formatter(decimals: number): Intl.NumberFormat {
  return (formatters[decimals] ??= new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

/** "1,234.50"; a true minus sign, so that columns line up. Missing and non-finite values are a dash. */
export function number(value: number | null | undefined, decimals = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const text = formatter(decimals).format(Math.abs(value));
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** With a plus sign for gains. */
export function signed(value: number | null | undefined, decimals = 2): string {
  const text = number(value, decimals);
  return value !== null && value !== undefined && value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

export function money(value: number | null | undefined, currency = '', withSign = false): string {
  const text = withSign ? signed(value, 2) : number(value, 2);
  return currency && text !== NONE ? `${text} ${currency}` : text;
}

/** 0.0123 becomes "1.23%". */
export function percent(fraction: number | null | undefined, decimals = 2, withSign = false): string {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return NONE;
  return `${withSign ? signed(fraction * 100, decimals) : number(fraction * 100, decimals)}%`;
}

/** 12345 becomes "12,345". */
export function count(value: number | null | undefined): string {
  return number(value, 0);
}

/** Short: 1.2 k, 3.4 M. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1e9) return `${number(value / 1e9, 1)} G`;
  if (size >= 1e6) return `${number(value / 1e6, 1)} M`;
  if (size >= 1e4) return `${number(value / 1e3, 1)} k`;
  return Number.isInteger(value) ? number(value, 0) : significant(value, 4);
}

/** At least `digits` significant digits without an exponent for usual sizes. */
export function significant(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e12 || size < 1e-6) return value.toExponential(digits - 1).replace('-', MINUS);
  const decimals = Math.max(0, Math.min(10, digits - 1 - Math.floor(Math.log10(size))));
  const text = number(value, decimals);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

const DAY_MS = 86_400_000;

/** "EURUSD 60min 2017-05-02T07:00:00Z..2017-10-19T09:00:00Z", as the ledger writes windows, as "2017-05-02 to 2017-10-19". */
export function stretch(window: string): string {
  const match = /(\d{4}-\d\d-\d\d)(T[\d:]+Z)?\.\.(\d{4}-\d\d-\d\d)(T[\d:]+Z)?$/.exec(window);
  if (!match) return window;
  return match[1] === match[3] ? (match[1] ?? window) : `${match[1]} to ${match[3]}`;
}

/** Seconds as "3 d 4 h", "5 h 10 min", "42 s". */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const sign = seconds < 0 ? MINUS : '';
  const whole = Math.round(Math.abs(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days >= 10) return `${sign}${count(days)} d`;
  if (days > 0) return `${sign}${days} d${hours ? ` ${hours} h` : ''}`;
  if (hours > 0) return `${sign}${hours} h${minutes ? ` ${minutes} min` : ''}`;
  if (minutes > 0) return `${sign}${minutes} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  if (whole === 0 && seconds !== 0) return `${sign}${Math.max(1, Math.round(Math.abs(seconds) * 1000))} ms`;
  return `${sign}${whole} s`;
}

/** Milliseconds of an instant given as Unix milliseconds or ISO text; NaN when it is neither. */
export function instant(value: number | string | null | undefined): number {
  if (typeof value === 'number') return value;
  if (!value) return Number.NaN;
  return Date.parse(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value);
}

/** "2017-03-01". */
export function day(value: number | string | null | undefined): string {
  const ms = instant(value);
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 10) : NONE;
}

/** "2017-03-01 14:00". */
export function minute(value: number | string | null | undefined): string {
  const ms = instant(value);
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 16).replace('T', ' ') : NONE;
}

export const MONTHS = [
  'January', 'February', 'March', 'April', 'May', 'June',
  'July', 'August', 'September', 'October', 'November', 'December',
];

/** "2017-03" becomes "March 2017". */
export function monthName(key: string): string {
  const [year, month] = key.split('-');
  return `${MONTHS[Number(month) - 1] ?? key} ${year}`;
}

/** "just now", "5 min ago", "3 d ago", then the day. */
export function ago(value: number | string | null | undefined, now: number): string {
  const ms = instant(value);
  if (!Number.isFinite(ms)) return NONE;
  const passed = now - ms;
  if (passed < 45_000) return 'just now';
  if (passed < 3_600_000) return `${Math.round(passed / 60_000)} min ago`;
  if (passed < DAY_MS) return `${Math.round(passed / 3_600_000)} h ago`;
  if (passed < 30 * DAY_MS) return `${Math.round(passed / DAY_MS)} d ago`;
  return day(ms);
}

/** A value by the unit that its definition names. */
export function byUnit(value: number | null | undefined, unit: string | undefined, currency = ''): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  switch (unit) {
    case 'fraction':
    case 'probability':
      return percent(value);
    case 'fraction/yr':
      return `${percent(value)}/yr`;
    case 'money':
      return money(value, currency);
    case 'seconds':
      return duration(value);
    case 'count':
    case 'days':
      return count(value);
    case 'time':
      return minute(value * 1000);
    case 'pips':
      return `${number(value, 1)} pips`;
    case 'bp':
    case 'basis points':
      return `${number(value, 2)} bp`;
    case 'number3':
      return number(value, 3);
    case 'ratio':
      return number(value, 2);
    default:
      return significant(value);
  }
}
