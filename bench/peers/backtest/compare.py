"""Bars a second of three backtesters: compare.py SIM_BENCH ROUNDS. See run.sh.

All get 105,297 hourly bars with a target of short, flat or long that changes on 5 % of bars. Only Tradewind accounts for bid
and ask, financing by value date, margin and bar extremes; the others charge a fee per trade. Compilation by numba and
construction of data frames are not timed.
"""
import json
import os
import statistics
import subprocess
import sys
import time

os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy

BARS = 105_297


def market():
    rng = np.random.default_rng(1)
    close = 1.2 * np.exp(np.cumsum(0.001 * rng.standard_normal(BARS)))
    opening = np.concatenate([[1.2], close[:-1]])
    frame = pd.DataFrame(
        {
            "Open": opening,
            "High": np.maximum(opening, close) * 1.0002,
            "Low": np.minimum(opening, close) * 0.9998,
            "Close": close,
        },
        index=pd.date_range("2006-01-02", periods=BARS, freq="h"),
    )
    changes = rng.random(BARS) < 0.05
    drawn = rng.integers(-1, 2, BARS)
    # The last drawn target holds until the next change.
    last = np.maximum.accumulate(np.where(changes, np.arange(BARS), -1))
    target = np.where(last >= 0, drawn[np.maximum(last, 0)], 0).astype(float)
    return frame, target


def run_vectorbt(frame, target):
    # Orders at the next open, only where the target changes, as the share of equity that is held.
    size = np.full(BARS, np.nan)
    moved = np.flatnonzero(np.diff(target, prepend=0.0))
    moved = moved[moved + 1 < BARS]
    size[moved + 1] = target[moved]
    start = time.perf_counter()
    portfolio = vbt.Portfolio.from_orders(
        frame["Close"], size=size, size_type="targetpercent", price=frame["Open"], fees=0.00005, init_cash=10_000.0
    )
    value = portfolio.value()
    count = portfolio.trades.count()
    seconds = time.perf_counter() - start
    assert len(value) == BARS and count > 1000, count
    return BARS / seconds


class FollowTarget(Strategy):
    target = None

    def init(self):
        self.held = 0.0

    def next(self):
        wanted = self.target[len(self.data) - 1]
        if wanted == self.held:
            return
        self.held = wanted
        self.position.close()
        if wanted > 0:
            self.buy(size=0.9)
        elif wanted < 0:
            self.sell(size=0.9)


def run_backtesting(frame, target):
    FollowTarget.target = target
    test = Backtest(frame, FollowTarget, cash=1_000_000, commission=0.00005, margin=0.5, finalize_trades=True)
    start = time.perf_counter()
    stats = test.run()
    seconds = time.perf_counter() - start
    assert stats["# Trades"] > 1000, stats["# Trades"]
    return BARS / seconds


def run_ours(program):
    out = subprocess.run(
        [program, "--benchmark_filter=BM_Backtest/convert:0/every:20$", "--benchmark_format=json", "--benchmark_min_time=0.5"],
        check=True, capture_output=True, text=True,
    )
    return json.loads(out.stdout)["benchmarks"][0]["items_per_second"]


def main():
    program, rounds = sys.argv[1], int(sys.argv[2])
    frame, target = market()
    run_vectorbt(frame, target)  # numba compiles
    rates = {"tradewind": [], "vectorbt": [], "backtesting.py": []}
    for _ in range(rounds):
        rates["tradewind"].append(run_ours(program))
        rates["vectorbt"].append(run_vectorbt(frame, target))
        rates["backtesting.py"].append(run_backtesting(frame, target))
    ours = statistics.median(rates["tradewind"])
    print("| program | M bars/s, median of %d | lowest | highest | tradewind is faster by |" % rounds)
    print("|---|---|---|---|---|")
    for name, values in rates.items():
        middle = statistics.median(values)
        cells = [middle, min(values), max(values)]
        print("| %s | %s | %.1f |" % (name, " | ".join("%.3g" % (v / 1e6) for v in cells), ours / middle))
    print(f"\nvectorbt {vbt.__version__}, numpy {np.__version__}, pandas {pd.__version__}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
