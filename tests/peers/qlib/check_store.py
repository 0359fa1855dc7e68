"""Imports made-up bars with our binary and reads the store with real pyqlib.

The expected values come from the CSV text and from this file's own calendar (zoneinfo), not from our code. The bars lie
around the US clock change of March 2025, have gaps, and the second instrument starts earlier, so that the calendar is
extended at its front after the first was written.
"""

import datetime as dt
import json
import random
import subprocess
import sys
import zoneinfo
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.data import D

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
HOUR = dt.timedelta(hours=1)


def week_open(sunday: dt.date) -> dt.datetime:
    local = dt.datetime.combine(sunday, dt.time(17), NEW_YORK)
    return local.astimezone(dt.timezone.utc).replace(tzinfo=None)


def grid(first_sunday: dt.date, weeks: int) -> list[dt.datetime]:
    opens = [week_open(first_sunday + dt.timedelta(weeks=w)) for w in range(weeks)]
    return [start + h * HOUR for start in opens for h in range(120)]


def make_bars(rng: random.Random, times: list[dt.datetime], price: float, digits: int) -> list[tuple]:
    """(time, open, high, low, close, volume), prices as decimal text; one bar in eight is missing."""
    bars = []
    tick = 10**-digits
    for time in times:
        if rng.random() < 0.125 and time not in (times[0], times[-1]):
            continue
        o, c = (price + rng.randrange(-400, 400) * tick for _ in range(2))
        h = max(o, c) + rng.randrange(0, 50) * tick
        low = min(o, c) - rng.randrange(0, 50) * tick
        bars.append((time, *(f"{v:.{digits}f}" for v in (o, h, low, c)), str(rng.randrange(1, 9000))))
    return bars


def write_csv(path: Path, bars: list[tuple], shift: int = 0, digits: int = 5) -> list[tuple]:
    """Writes the bars, prices moved up by `shift` ticks, and returns what was written."""
    moved = [(b[0], *(f"{float(v) + shift * 10**-digits:.{digits}f}" for v in b[1:5]), b[5]) for b in bars]
    lines = ["time,open,high,low,close,volume"]
    lines += [",".join([b[0].strftime("%Y-%m-%d %H:%M:%S"), *b[1:]]) for b in moved]
    path.write_text("\n".join(lines) + "\n")
    return moved


def frame(bars: list[tuple], calendar: list[dt.datetime]) -> pd.DataFrame:
    """float32 columns over the calendar rows from the first bar to the last."""
    columns = ["open", "high", "low", "close", "volume"]
    data = pd.DataFrame([[np.float32(v) for v in b[1:]] for b in bars], columns=columns, index=[b[0] for b in bars])
    rows = [t for t in calendar if bars[0][0] <= t <= bars[-1][0]]
    return data.reindex(rows).astype(np.float32)


def equal(name: str, got, want) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{name}: {got.shape} values, wanted {want.shape}"
    same = (got == want) | (pd.isna(got) & pd.isna(want))
    assert same.all(), f"{name}: {np.sum(~same)} differ, first {got[~same][0]} wanted {want[~same][0]}"
    print(f"ok  {name}: {got.size} values")


def check_features(code: str, want: pd.DataFrame, prefix: str = "") -> None:
    fields = [f"${prefix}{c}" for c in ("open", "high", "low", "close")]
    got = D.features([code], fields, freq="60min").loc[code]
    assert list(got.index) == list(want.index), f"{code}: other rows"
    for field, column in zip(fields, ("open", "high", "low", "close")):
        equal(f"{code} {field}", got[field], want[column])


def main() -> None:
    binary, work = sys.argv[1], Path(sys.argv[2])
    store = work / "store"

    def tradewind(*arguments: str):
        command = [binary, *arguments, "--store", str(store), "--json", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def load(code: str, *files: str) -> None:
        tradewind("data", "import", *files, "--instrument", code, "--freq", "60min", "--tz", "UTC")

    rng = random.Random(20250309)
    long, short = grid(dt.date(2025, 2, 9), 7), grid(dt.date(2025, 3, 2), 3)
    eur = write_csv(work / "eur.csv", make_bars(rng, short[7:-5], 1.08, 5))
    jpy = write_csv(work / "jpy.csv", make_bars(rng, long[3:-9], 150.0, 3), digits=3)
    gbp_raw = make_bars(rng, short[100:260], 1.29, 5)
    gbp = write_csv(work / "gbp-bid.csv", gbp_raw)
    gbp_ask = write_csv(work / "gbp-ask.csv", gbp_raw, shift=12)
    load("EURUSD", str(work / "eur.csv"), "--side", "bid")
    load("USDJPY", str(work / "jpy.csv"), "--side", "bid")
    load("GBPUSD", str(work / "gbp-bid.csv"), str(work / "gbp-ask.csv"), "--side", "bid", "--side", "ask")
    tradewind("data", "resample", "EURUSD", "--from", "60min", "--to", "day")

    qlib.init(provider_uri=str(store / "current"), region="us", kernels=1, joblib_backend="threading",
              expression_cache=None, dataset_cache=None)
    calendar = [t.to_pydatetime() for t in D.calendar(freq="60min")]
    equal("calendar 60min", calendar, long)
    frames = {"EURUSD": frame(eur, long), "USDJPY": frame(jpy, long), "GBPUSD": frame(gbp, long)}
    for code, want in frames.items():
        check_features(code, want)
    check_features("GBPUSD", frame(gbp_ask, long), "ask_")

    more = D.features(["EURUSD"], ["$volume", "$factor", "$vwap", "$high-$low", "Ref($close, 1)"], freq="60min")
    more = more.loc["EURUSD"]
    want = frames["EURUSD"]
    equal("EURUSD $volume", more["$volume"], want["volume"])
    equal("EURUSD $factor", more["$factor"], np.where(want["close"].isna(), np.nan, 1.0))
    equal("EURUSD $high-$low", more["$high-$low"], want["high"] - want["low"])
    equal("EURUSD Ref($close, 1)", more["Ref($close, 1)"], want["close"].shift(1))
    typical = (want["high"].astype(float) + want["low"].astype(float) + want["close"].astype(float)) / 3
    assert np.nanmax(np.abs(more["$vwap"] - typical)) < 2e-7, "EURUSD $vwap is no typical price"

    spans = D.list_instruments(D.instruments("all"), freq="60min")
    assert sorted(spans) == ["EURUSD", "GBPUSD", "USDJPY"], spans
    for code, want in frames.items():
        ((first, last),) = spans[code]
        assert first <= want.index[0] and last >= want.index[-1], f"{code}: span {first} to {last}"
    print("ok  instruments and their spans")

    # A trading day carries the date on which it closes; the last one of the data is not over and must be missing.
    day_of = [(t.replace(tzinfo=dt.timezone.utc).astimezone(NEW_YORK) + 7 * HOUR).date() for t in frames["EURUSD"].index]
    bars = frames["EURUSD"].groupby(pd.to_datetime(day_of))
    days = pd.DataFrame({"open": bars["open"].first(), "high": bars["high"].max(), "low": bars["low"].min(),
                         "close": bars["close"].last(), "volume": bars["volume"].sum()}).iloc[:-1]
    got = D.features(["EURUSD"], [f"${c}" for c in days.columns], freq="day").loc["EURUSD"]
    assert list(got.index) == list(days.index), "EURUSD day: other rows"
    for column in days.columns:
        equal(f"EURUSD day ${column}", got[f"${column}"], days[column])
    print("pyqlib", qlib.__version__, "reads the store")


if __name__ == "__main__":
    main()
