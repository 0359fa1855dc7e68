// Calendar periods as the forms and the chart know them: trading dates "YYYY-MM-DD", both inclusive.

export interface Period {
  from: string;
  to: string;
}

export interface NamedPeriod extends Period {
  id: string;
  label: string;
  group: 'Whole' | 'Latest' | 'Years' | 'Quarters' | 'Months';
}

const MONTH_LABELS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text);
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

export function lastOfMonth(year: number, month: number): string {
  return new Date(Date.UTC(year, month, 0)).toISOString().slice(0, 10);
}

const pad = (value: number) => String(value).padStart(2, '0');

function clip(period: Period, limits: Period): Period {
  return {
    from: period.from < limits.from ? limits.from : period.from,
    to: period.to > limits.to ? limits.to : period.to,
  };
}

/** What somebody may want to look at inside the limits: everything, the latest stretch, years, quarters, months. */
export function namedPeriods(limits: Period): NamedPeriod[] {
  if (!isDate(limits.from) || !isDate(limits.to) || limits.from > limits.to) return [];
  const found: NamedPeriod[] = [{ id: 'all', label: 'All of it', group: 'Whole', ...limits }];
  const add = (id: string, label: string, group: NamedPeriod['group'], period: Period) => {
    if (period.to < limits.from || period.from > limits.to) return;
    found.push({ id, label, group, ...clip(period, limits) });
  };
  for (const [id, label, days] of [['last-365', 'Last year', 365], ['last-91', 'Last quarter', 91], ['last-30', 'Last month', 30]] as const) {
    const from = addDays(limits.to, 1 - days);
    if (from > limits.from) add(id, label, 'Latest', { from, to: limits.to });
  }
  const first = Number(limits.from.slice(0, 4));
  const last = Number(limits.to.slice(0, 4));
  for (let year = last; year >= first; --year) add(`${year}`, `${year}`, 'Years', { from: `${year}-01-01`, to: `${year}-12-31` });
  for (let year = last; year >= Math.max(first, last - 4); --year) {
    for (let quarter = 4; quarter >= 1; --quarter) {
      const month = quarter * 3;
      add(`${year}-q${quarter}`, `${year} Q${quarter}`, 'Quarters', { from: `${year}-${pad(month - 2)}-01`, to: lastOfMonth(year, month) });
    }
  }
  for (let year = last; year >= Math.max(first, last - 4); --year) {
    for (let month = 12; month >= 1; --month) {
      add(`${year}-${pad(month)}`, `${MONTH_LABELS[month - 1]} ${year}`, 'Months', {
        from: `${year}-${pad(month)}-01`,
        to: lastOfMonth(year, month),
      });
    }
  }
  return found;
}

const NEW_YORK = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/New_York', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', hourCycle: 'h23' });

/** The trading date of an instant: days end at 17:00 New York, so the hours after it belong to the next. */
export function tradingDate(ms: number): string {
  if (!Number.isFinite(ms)) return '';
  const parts = Object.fromEntries(NEW_YORK.formatToParts(ms).map((part) => [part.type, part.value]));
  const date = `${parts.year}-${parts.month}-${parts.day}`;
  return Number(parts.hour) >= 17 ? addDays(date, 1) : date;
}

/** Clips a period to the limits; undefined when nothing of it is left. */
export function within(period: Period, limits: Period): Period | undefined {
  const clipped = clip(period, limits);
  return clipped.from <= clipped.to ? clipped : undefined;
}
