#!/usr/bin/env python3
"""Values of Qlib's own operators for tests/golden/features/qlib_expressions.json.

    python3 -m venv venv && venv/bin/pip install pyqlib==0.9.7 'pandas<3'
    venv/bin/python tools/golden/features/qlib_expressions.py tests/golden/features/qlib_expressions.json

The expressions are parsed and evaluated by Qlib; only the leaves are ours: float64 columns instead of Qlib's float32
files, so that the comparison sees the operators and not the storage. Empty calendar slots are rows of NaN.
"""
import json
import platform
import sys

import numpy as np
import pandas as pd
import qlib
from qlib.data.base import Expression
from qlib.data.ops import Operators, register_all_ops
from qlib.config import C
from qlib.utils import parse_field

# Rows of the calendar that the series begins at; with blocks of 256 rows it crosses one.
FIRST_ROW = 2 * 256 - 70
ROWS = 150

# Where Qlib's value is followed. Those that are not are named in docs/features.md and tested apart.
EXPRESSIONS = [
    "$close/Ref($close,1)-1",
    "Ref($close,7)",
    "Ref($volume,1)+Ref($open,2)",
    "Delta($close,1)",
    "Delta($high,11)",
    "Mean($close,5)",
    "Mean($volume,60)",
    "Sum($volume,20)",
    "Sum(Abs($close-Ref($close,1)),10)",
    "Std($close,5)",
    "Std($close/Ref($close,1),30)",
    "Std($volume,1)",
    "Var($close,12)",
    "Max($high,10)",
    "Min($low,24)",
    "Count($close,6)",
    "Rank($close,8)",
    "Slope($close,10)",
    "Slope($volume,5)/$close",
    "EMA($close,5)",
    "EMA($close,30)",
    "EMA($volume,0.2)",
    "EMA($close,12)-EMA($close,26)",
    "Corr($close,$volume,16)",
    "Corr($close/Ref($close,1),Log($volume/Ref($volume,1)+1),20)",
    "Cov($high,$low,15)",
    "Abs($close-$open)",
    "Sign($close-$open)",
    "Log($volume+1)",
    "Log($close/Ref($close,3))",
    "Power($high-$low,2)",
    "($high/$low)**0.5",
    "Greater($open,$close)-Less($open,$close)",
    "($close-Min($low,9))/(Max($high,9)-Min($low,9)+1e-12)",
    "Mean($close,5)/Std($close,20)*2-1/3",
    "Mean(Ref(Mean($close,4),3),6)",
    "2-$close",
    "2/$close",
    "2**($close-1)",
]


def series():
    rng = np.random.default_rng(20261125)
    close = 1.1 * np.exp(np.cumsum(rng.normal(0, 0.001, ROWS)))
    close[40:52] = close[40]  # a stretch without a move
    close = np.round(close, 5)
    open_ = np.round(np.concatenate([[1.1], close[:-1]]) + rng.normal(0, 1e-4, ROWS), 5)
    high = np.round(np.maximum(open_, close) + rng.uniform(0, 1e-3, ROWS), 5)
    low = np.round(np.minimum(open_, close) - rng.uniform(0, 1e-3, ROWS), 5)
    volume = rng.integers(1, 5000, ROWS).astype(float)
    data = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    empty = rng.uniform(0, 1, ROWS) < 0.08
    empty[85:97] = True  # a holiday
    for column in data.values():
        column[empty] = np.nan
    return data


class Feature(Expression):
    """Takes the place of Qlib's leaf: $name over the whole series, in float64."""

    data = {}

    def __init__(self, name=None):
        self.name = name

    def __str__(self):
        return "$" + self.name

    def _load_internal(self, instrument, start_index, end_index, *args):
        return pd.Series(self.data[self.name], index=range(ROWS))

    def get_longest_back_rolling(self):
        return 0

    def get_extended_window_size(self):
        return 0, 0


def evaluate(text):
    node = eval(parse_field(text), {"Operators": Operators})  # our own list above
    return np.asarray(node.load("X", 0, ROWS - 1, "60min"), dtype=float)


def numbers(column):
    """JSON has no NaN and no infinities: null and "inf"."""
    return [None if np.isnan(v) else float(v) if np.isfinite(v) else str(v) for v in column]


def main(path):
    register_all_ops(C)
    Operators.register([Feature])
    Feature.data = series()
    document = {
        "generator": "tools/golden/features/qlib_expressions.py",
        "versions": {
            "pyqlib": qlib.__version__,
            "numpy": np.__version__,
            "pandas": pd.__version__,
            "python": platform.python_version(),
        },
        "first_row": FIRST_ROW,
        "columns": {name: numbers(column) for name, column in Feature.data.items()},
        "expressions": [{"expression": text, "values": numbers(evaluate(text))} for text in EXPRESSIONS],
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    with open(path, "w") as file:
        file.write(text.replace('{"expression"', '\n{"expression"') + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
