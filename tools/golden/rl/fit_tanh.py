"""Prints the coefficients of the kernels' tanh: tanh(x) = x P(x^2) / Q(x^2) on [-9, 9], P and Q of degree 4.

Least relative error by Lawson's reweighted least squares on Chebyshev nodes, then its error when evaluated in float32
with fused multiply-adds. Needs only NumPy.
"""

import numpy as np

DEGREE, BOUND = 4, 9.0


def fit(nodes=4000, rounds=400):
    x = (np.cos(np.linspace(0, np.pi, nodes)) * 0.5 + 0.5) * BOUND + 1e-3
    y = (x / BOUND) ** 2
    target = np.tanh(x) / x
    weight, denominator, best = np.ones(nodes), np.ones(nodes), None
    for _ in range(rounds):
        scale = np.sqrt(weight) / (target * denominator)
        columns = [y**i * scale for i in range(DEGREE + 1)]
        columns += [-(y**i) * target * scale for i in range(1, DEGREE + 1)]
        matrix = np.stack(columns, 1)
        norms = np.linalg.norm(matrix, axis=0)
        solution = np.linalg.lstsq(matrix / norms, target * scale, rcond=1e-17)[0] / norms
        p, q = solution[: DEGREE + 1], np.concatenate([[1.0], solution[DEGREE + 1 :]])
        denominator = np.polyval(q[::-1], y)
        error = np.abs(np.polyval(p[::-1], y) / denominator / target - 1)
        if best is None or error.max() < best[0]:
            best = (error.max(), p, q)
        weight *= (error / error.max() + 1e-3) ** 0.7
        weight /= weight.mean()
    unscale = BOUND ** (-2.0 * np.arange(DEGREE + 1))
    return best[0], best[1] * unscale, best[2] * unscale


def evaluate(p, q):
    single = np.float32
    x = np.concatenate([np.linspace(-12, 12, 2000001), np.logspace(-30, 1, 400001)]).astype(single)
    clipped = np.clip(x, -single(BOUND), single(BOUND))
    y = (clipped * clipped).astype(single)

    def polynomial(coefficients):
        value = np.full_like(y, single(coefficients[-1]))
        for coefficient in coefficients[-2::-1]:
            value = (value.astype(np.float64) * y + float(single(coefficient))).astype(single)
        return value

    result = np.clip((clipped * polynomial(p)).astype(single) / polynomial(q), -1, 1)
    return np.abs(result - np.tanh(x.astype(np.float64))).max()


relative, numerator, divisor = fit()
print("relative error of the fit", relative)
print("P", [float(single) for single in numerator.astype(np.float32)])
print("Q", [float(single) for single in divisor.astype(np.float32)])
print("absolute error in float32", evaluate(numerator, divisor))
