// A table that sorts by its heads. Rows are given whole; long lists come in pages from the server (see TradeTable).
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';

export interface Column<Row> {
  id: string;
  head: ComponentChildren;
  cell: (row: Row) => ComponentChildren;
  /** What to sort by; a column without it does not sort. Missing values come last in both orders. */
  value?: (row: Row) => number | string | null | undefined;
  num?: boolean;
  wrap?: boolean;
  wrapHead?: boolean;
  foot?: ComponentChildren;
}

export interface Sort {
  by: string;
  descending: boolean;
}

export function compareValues(a: number | string | null | undefined, b: number | string | null | undefined, descending: boolean): number {
  const missing = (value: typeof a) => value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value));
  if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
  return descending ? -order : order;
}

export function SortHead(props: { id: string; head: ComponentChildren; num?: boolean | undefined; wrap?: boolean | undefined; sort: Sort | undefined; onSort?: (sort: Sort) => void }) {
  const active = props.sort?.by === props.id;
  const order = active ? (props.sort?.descending ? 'descending' : 'ascending') : undefined;
  return (
    <th scope="col" class={`${props.num ? 'num' : ''} ${props.wrap ? 'wrap' : ''}`} aria-sort={order}>
      {props.onSort ? (
        <button type="button" onClick={() => props.onSort?.({ by: props.id, descending: active ? !props.sort?.descending : Boolean(props.num) })}>
          {props.head}
        </button>
      ) : props.head}
    </th>
  );
}

export function Table<Row>(props: {
  label: string;
  rows: Row[];
  columns: Column<Row>[];
  rowKey: (row: Row) => string;
  sort?: Sort;
  selected?: (row: Row) => boolean;
  onRow?: (row: Row) => void;
}) {
  const [sort, setSort] = useState<Sort | undefined>(props.sort);
  const column = props.columns.find((candidate) => candidate.id === sort?.by);
  const rows = useMemo(() => {
    const value = column?.value;
    if (!value || !sort) return props.rows;
    return [...props.rows].sort((a, b) => compareValues(value(a), value(b), sort.descending));
  }, [props.rows, column, sort]);
  const foot = props.columns.some((candidate) => candidate.foot !== undefined);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table>
        <thead>
          <tr>
            {props.columns.map((each) => (
              <SortHead key={each.id} id={each.id} head={each.head} num={each.num} wrap={each.wrapHead} sort={sort} onSort={each.value ? setSort : undefined} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={props.rowKey(row)}
              class={`${props.onRow ? 'clickable' : ''} ${props.selected?.(row) ? 'selected' : ''}`}
              onClick={props.onRow ? (event) => {
                if (!(event.target as Element).closest('a, button, input, select, label')) props.onRow?.(row);
              } : undefined}
            >
              {props.columns.map((each) => (
                <td key={each.id} class={`${each.num ? 'num' : ''} ${each.wrap ? 'wrap' : ''}`}>{each.cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
        {foot && (
          <tfoot>
            <tr>{props.columns.map((each) => <td key={each.id} class={each.num ? 'num' : ''}>{each.foot}</td>)}</tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}
