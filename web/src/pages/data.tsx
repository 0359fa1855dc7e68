// What bars there are, how complete they are, and what to know before trusting them.
import { useState } from 'preact/hooks';
import { getBars, getCoverage, getQuality, listInstruments } from '../api/calls';
import type { Coverage, Instrument, Quality } from '../api/types';
import { candleFigure } from '../charts/lines';
import { Plot } from '../charts/plot';
import { count, minute, monthName, number, percent } from '../lib/format';
import { useResource, useTitle } from '../lib/hooks';
import { formatRoute } from '../lib/route';
import { clampSpan, relayoutSpan, type Span } from '../lib/window';
import { Badge, Callout, Card, Empty, Facts, Loading, PageHead, Problem, type Tone } from '../ui/parts';
import { Table } from '../ui/table';

const idOf = (each: Instrument) => `${each.instrument}/${each.freq}`;

function CoverageMap(props: { coverage: Coverage }) {
  const years = new Map<string, Coverage['months']>();
  for (const month of props.coverage.months) years.set(month.month.slice(0, 4), [...(years.get(month.month.slice(0, 4)) ?? []), month]);
  const share = (month: Coverage['months'][number]) => (month.slots > 0 ? Math.min(1, month.bars / month.slots) : 0);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Coverage by month">
      <table class="heat">
        <thead><tr><th scope="col">Year</th>{['J', 'F', 'M', 'A', 'M', 'J', 'J', 'A', 'S', 'O', 'N', 'D'].map((letter, row) => <th scope="col" key={row}><span aria-hidden="true">{letter}</span><span class="visually-hidden">{monthName(`0-${row + 1}`).split(' ')[0]}</span></th>)}<th scope="col" class="num">Bars</th></tr></thead>
        <tbody>
          {[...years].reverse().map(([year, months]) => (
            <tr key={year}>
              <th scope="row">{year}</th>
              {Array.from({ length: 12 }, (_, row) => {
                const month = months.find((each) => Number(each.month.slice(5)) === row + 1);
                if (!month) return <td key={row} />;
                const part = share(month);
                return (
                  <td key={row}>
                    <button type="button" class={`cell ${part < 0.85 ? 'poor' : part < 0.95 ? 'fair' : ''}`} data-tip={`${monthName(month.month)}: ${count(month.bars)} of ${count(month.slots)} openings have a bar (${percent(part, 1)}).`}>
                      {part >= 0.9995 ? '100' : number(part * 100, part > 0.995 ? 0 : 0)}
                    </button>
                  </td>
                );
              })}
              <td class="num">{count(months.reduce((sum, each) => sum + each.bars, 0))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const toneOf = (score: number): Tone => (score >= 90 ? 'good' : score >= 70 ? 'warn' : 'bad');

function QualityCard(props: { quality: Quality }) {
  const { quality } = props;
  const odd = [...quality.outliers.map((each) => ({ ...each, kind: 'outlier' })), ...quality.stale_runs.map((each) => ({ ...each, kind: 'stale' }))].sort((x, y) => (x.time < y.time ? -1 : 1));
  return (
    <Card title={<>Quality <Badge tone={toneOf(quality.score)}>{quality.score} of 100</Badge></>}>
      {quality.deductions.length === 0 ? <p>Nothing to take off.</p> : (
        <ul class="plain-list">{quality.deductions.map((each) => <li key={each.reason}><strong>−{each.points}</strong> {each.reason}</li>)}</ul>
      )}
      <Facts rows={[
        ['Coverage', `${percent(quality.coverage, 2)} of ${count(quality.slots)} openings`],
        ['Missing', `${count(quality.missing)} bars in ${count(quality.gaps)} gaps${quality.missing_holiday ? `; ${count(quality.missing_holiday)} more over holidays` : ''}`],
        ['Impossible bars', count(quality.ohlc_violations)],
        ['Flat bars', count(quality.flat_bars)],
        ['Stale bars', count(quality.stale_bars)],
        ['Weekend bars', count(quality.weekend_bars + quality.weekend_refused)],
        ['Largest move', `${percent(quality.largest_log_return)}${quality.largest_log_return_at ? ` at ${minute(quality.largest_log_return_at)}` : ''}`],
        ['Clock', <>{quality.suspected_zone || 'as in UTC'} {quality.zone_wrong && <Badge tone="bad">wrong</Badge>}</>],
        ['Quarantined', `${count(quality.quarantined)} of ${count(quality.rows)} rows`],
      ]} />
      {quality.largest_gaps.length > 0 && (
        <details><summary>Largest gaps</summary>
          <Table label="Largest gaps" rows={quality.largest_gaps} rowKey={(gap) => gap.first_missing} columns={[
            { id: 'from', head: 'First missing', value: (gap) => gap.first_missing, cell: (gap) => minute(gap.first_missing) },
            { id: 'bars', head: 'Bars', num: true, value: (gap) => gap.bars, cell: (gap) => count(gap.bars) },
            { id: 'holiday', head: 'Why', cell: (gap) => (gap.holiday ? <Badge>holiday</Badge> : '') },
          ]} />
        </details>
      )}
      {odd.length > 0 && (
        <details><summary>Odd bars ({count(odd.length)})</summary>
          <Table label="Odd bars" rows={odd} rowKey={(each) => `${each.kind}|${each.time}`} columns={[
            { id: 'time', head: 'Time', value: (each) => each.time, cell: (each) => minute(each.time) },
            { id: 'bars', head: 'Bars', num: true, value: (each) => each.bars, cell: (each) => count(each.bars) },
            { id: 'what', head: 'What', wrap: true, cell: (each) => each.what },
          ]} />
        </details>
      )}
    </Card>
  );
}

function PriceCard(props: { instrument: Instrument }) {
  const { instrument } = props;
  const limits: Span = { from: Date.parse(instrument.first), to: Date.parse(instrument.last) };
  const [span, setSpan] = useState<Span>();
  const narrow = innerWidth < 760;
  const points = narrow ? 180 : 700;
  const bars = useResource(`${idOf(instrument)}|${span?.from}|${span?.to}`, (signal) => getBars(instrument.instrument, instrument.freq, { ...span, maxPoints: points }, signal));
  return (
    <Card title="Price" tools={<>{bars.data && bars.data.bars_per_point > 1 && <span class="muted small">each candle is {count(bars.data.bars_per_point)} bars</span>}<button type="button" class="button tiny" disabled={!span} onClick={() => setSpan(undefined)}>All</button></>}>
      {Boolean(bars.error) && <Problem error={bars.error} retry={bars.reload} />}
      {bars.data && (
        <Plot label={`Price of ${instrument.instrument}`} version={`${bars.data.time[0]}|${bars.data.time.length}|${bars.data.bars_per_point}`} height={narrow ? 260 : 340}
          figure={(palette) => candleFigure(bars.data!, palette, narrow)}
          onRelayout={(change) => {
            const next = relayoutSpan(change);
            if (next === 'reset') setSpan(undefined);
            else if (next) setSpan(clampSpan(next, limits, 3_600_000));
          }} />
      )}
    </Card>
  );
}

function InstrumentDetail(props: { instrument: Instrument }) {
  const { instrument } = props;
  const key = idOf(instrument);
  const quality = useResource(`q|${key}`, (signal) => getQuality(instrument.instrument, instrument.freq, signal));
  const coverage = useResource(`c|${key}`, (signal) => getCoverage(instrument.instrument, instrument.freq, signal));
  return (
    <div class="stack" data-testid="instrument">
      <PriceCard instrument={instrument} />
      <div class="split">
        <Card title="Coverage" tools={<span class="muted small">per cent of the market's openings that have a bar</span>}>
          {Boolean(coverage.error) && <Problem error={coverage.error} retry={coverage.reload} />}
          {coverage.data ? <CoverageMap coverage={coverage.data} /> : !coverage.error && <Loading what="coverage" />}
        </Card>
        {quality.error ? <Problem error={quality.error} retry={quality.reload} /> : quality.data ? <QualityCard quality={quality.data} /> : <Card title="Quality"><Loading what="quality" /></Card>}
      </div>
      <Card title="Where they come from">
        <Table label="Sources" rows={instrument.sources} rowKey={(source) => `${source.name}|${source.sha256}`} columns={[
          { id: 'name', head: 'File', value: (source) => source.name, cell: (source) => source.name },
          { id: 'format', head: 'Format', cell: (source) => source.format },
          { id: 'zone', head: 'Zone', cell: (source) => source.zone },
          { id: 'rows', head: 'Rows', num: true, value: (source) => source.rows, cell: (source) => count(source.rows) },
          { id: 'quarantined', head: 'Quarantined', num: true, cell: (source) => count(source.quarantined) },
          { id: 'duplicates', head: 'Duplicates', num: true, cell: (source) => count(source.duplicates) },
          { id: 'hash', head: 'SHA-256', cell: (source) => <span class="mono" title={source.sha256}>{source.sha256.slice(0, 12)}</span> },
        ]} />
      </Card>
    </div>
  );
}

export function DataPage(props: { rest: string[] }) {
  useTitle('Data');
  const instruments = useResource('instruments', listInstruments, 20_000);
  const wanted = props.rest.join('/');
  const all = instruments.data ?? [];
  const chosen = wanted ? all.find((each) => idOf(each) === wanted) : all[0];
  return (
    <>
      <PageHead title="Data" sub="Bars in the store, how complete they are and what to know about them" />
      {Boolean(instruments.error) && !instruments.data && <Problem error={instruments.error} retry={instruments.reload} />}
      {!instruments.data && !instruments.error && <Loading what="instruments" />}
      {instruments.data && all.length === 0 && <Card><Empty title="There are no data yet"><p>Import a file of bars:</p><p><code>tradewind data import FILE --instrument EURUSD --freq 60min</code></p></Empty></Card>}
      {all.length > 0 && (
        <div class="stack">
          <Card>
            <div class={all.length > 8 ? 'tall short' : ''}>
              <Table
                label="Instruments" rows={all} rowKey={idOf} selected={(row) => row === chosen}
                onRow={(row) => { location.hash = formatRoute('data', [row.instrument, row.freq]); }}
                columns={[
                  { id: 'instrument', head: 'Instrument', value: (row) => row.instrument, cell: (row) => <a href={formatRoute('data', [row.instrument, row.freq])}>{row.instrument}</a> },
                  { id: 'freq', head: 'Bars of', value: (row) => row.freq, cell: (row) => row.freq },
                  { id: 'from', head: 'From', value: (row) => row.from, cell: (row) => row.from },
                  { id: 'to', head: 'To', value: (row) => row.to, cell: (row) => row.to },
                  { id: 'bars', head: 'Bars', num: true, value: (row) => row.bars, cell: (row) => count(row.bars) },
                  { id: 'side', head: 'Prices', value: (row) => row.side, cell: (row) => row.side },
                  { id: 'quarantined', head: 'Quarantined', num: true, value: (row) => row.quarantined, cell: (row) => count(row.quarantined) },
                ]}
              />
            </div>
          </Card>
          {chosen ? <InstrumentDetail key={idOf(chosen)} instrument={chosen} /> : <Callout tone="bad"><p>There are no bars of {wanted}.</p></Callout>}
        </div>
      )}
    </>
  );
}
