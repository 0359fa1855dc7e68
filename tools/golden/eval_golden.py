#!/usr/bin/env python3
"""Oracle numbers for src/eval from software that we did not write.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 mpmath==1.4.1 arch==8.0.0
    venv/bin/python tools/golden/eval_golden.py tests/golden/eval/oracle.txt

Each line is a name and numbers. The tolerances, and why they are what they are, stand in the tests that read them.
"""
import itertools
import sys

import arch
import mpmath
import numpy as np
import scipy
import scipy.stats
from arch.bootstrap import SPA, StationaryBootstrap, optimal_block_length


def noise(seed, count):
    """The generator of metrics.md section 9.1, mean 0 and unit 2 (u1 + u2 + u3 - 1.5)."""
    x = seed
    out = []
    for _ in range(count):
        total = 0.0
        for _ in range(3):
            x = (1103515245 * x + 12345) % 2**31
            total += x / 2147483648
        out.append(2 * (total - 1.5))
    return np.array(out)


def autoregressive(seed, count, phi):
    e = noise(seed, count)
    out = np.zeros(count)
    last = 0.0
    for t in range(count):
        last = phi * last + e[t]
        out[t] = last
    return out


def pbo(matrix, blocks):
    rows = matrix.shape[0] // blocks
    matrix = matrix[matrix.shape[0] - rows * blocks:]
    lambdas, first, second = [], [], []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([np.arange(b * rows, (b + 1) * rows) for b in chosen])
        mask = np.zeros(matrix.shape[0], bool)
        mask[inside] = True
        r = matrix[mask].mean(0) / matrix[mask].std(0, ddof=1)
        o = matrix[~mask].mean(0) / matrix[~mask].std(0, ddof=1)
        best = int(np.argmax(r))
        omega = scipy.stats.rankdata(o, method="max")[best] / (matrix.shape[1] + 1)
        lambdas.append(np.log(omega / (1 - omega)))
        first.append(r[best])
        second.append(o[best])
    lambdas = np.array(lambdas)
    fit = scipy.stats.linregress(first, second)
    return (np.mean(lambdas <= 1e-12), np.mean(np.array(second) < 0), fit.slope, fit.intercept, lambdas.sum())


def studentised_spa(excess, reps):
    """Lower, consistent and upper p-value; deviations from the bootstrap itself, not from the formula."""
    n = len(excess)
    mean = excess.mean(0)
    bootstrap = StationaryBootstrap(4, excess, seed=5)
    draws = np.array([data[0][0].mean(0) for data in bootstrap.bootstrap(reps)])
    deviation = np.sqrt(n) * draws.std(0)
    statistic = max(0.0, (np.sqrt(n) * mean / deviation).max())
    relevant = np.sqrt(n) * mean / deviation >= -np.sqrt(2 * np.log(np.log(n)))
    out = []
    for recentred in [np.maximum(mean, 0), np.where(relevant, mean, 0), mean]:
        largest = np.maximum((np.sqrt(n) * (draws - recentred) / deviation).max(1), 0)
        out.append(np.mean(largest >= statistic))
    return out


def main(path):
    lines = []

    def emit(name, *values):
        lines.append(name + " " + " ".join(repr(float(v)) for v in values))

    mpmath.mp.dps = 60
    for p in ["1e-300", "1e-100", "1e-20", "1e-10", "1e-5", "0.001", "0.025", "0.05", "0.2", "0.4999", "0.5", "0.50001",
              "0.7", "0.9", "0.95", "0.975", "0.99", "0.9999", "0.9999999"]:
        exact = mpmath.mpf(float(p))
        q = mpmath.findroot(lambda x: mpmath.ncdf(x) / exact - 1, mpmath.mpf(scipy.stats.norm.ppf(float(p))))
        emit("quantile", float(p), q)
    for x in [-37, -20, -8.5, -3, -1.959963984540054, -1, -0.1, 0, 0.3, 1, 2.5, 5, 8]:
        emit("cdf", x, mpmath.ncdf(mpmath.mpf(x)))

    for seed, count, phi in [(11, 500, 0.0), (12, 1000, 0.3), (13, 2000, 0.6), (14, 4000, -0.2), (15, 300, 0.8)]:
        block = optimal_block_length(autoregressive(seed, count, phi))["stationary"].iloc[0]
        emit("block", seed, count, phi, block)

    # Eight models over 750 days: seven of noise, one with a drift of `edge` a day, one bad.
    for seed, edge in [(21, 0.0), (22, 0.04), (23, 0.08)]:
        excess = noise(seed, 750 * 8).reshape(750, 8)
        excess[:, 3] += edge
        excess[:, 6] -= 0.5
        # arch compares means that are not studentised: its upper p-value is White's reality check.
        reality = SPA(np.zeros(750), -excess, block_size=4, reps=20000, bootstrap="stationary", seed=6)
        reality.compute()
        emit("spa", seed, edge, *studentised_spa(excess, 20000), reality.pvalues["upper"])

    returns = 0.0004 + 0.006 * autoregressive(31, 1000, 0.1)
    bootstrap = StationaryBootstrap(5, returns, seed=7)

    def statistics(r):
        wealth = np.concatenate([[1.0], np.cumprod(1 + r)])
        drawdown = (wealth / np.maximum.accumulate(wealth) - 1).min()
        return np.array([r.mean() / r.std(ddof=1) * np.sqrt(260), wealth[-1] ** (260 / len(r)) - 1, drawdown])

    draws = bootstrap.apply(statistics, 20000)
    for name, column in zip(["sharpe", "cagr", "drawdown"], draws.T):
        emit("bootstrap_" + name, *np.quantile(column, [0.05, 0.5, 0.95]), column.std())

    emit("pbo16", *pbo(0.01 * noise(41, 330 * 10).reshape(330, 10) + 0.0003 * np.arange(10), 16))
    emit("pbo8", *pbo(0.01 * noise(42, 500 * 6).reshape(500, 6) + 0.002 * (np.arange(6) == 2), 8))

    text = f"# numpy {np.__version__}, scipy {scipy.__version__}, mpmath {mpmath.__version__}, arch {arch.__version__}\n"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
