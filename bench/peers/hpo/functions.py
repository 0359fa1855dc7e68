"""Test functions of the comparison; the same ones, to the letter, stand in bench/hpo_bench.cpp. All have minimum 0 but
for rounding, so that a value is a regret."""
import math

HARTMANN_ALPHA = (1.0, 1.2, 3.0, 3.2)
HARTMANN_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
HARTMANN_P = ((1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991),
              (2348, 1451, 3522, 2883, 3047, 6650), (4047, 8828, 8732, 5743, 1091, 381))
HARTMANN_MINIMUM = -3.32236801141551
BRANIN_MINIMUM = 0.397887357729738


def box(trial, dimensions, low, high):
    return [trial.suggest_float(f"x{i}", low, high) for i in range(dimensions)]


def sphere(trial):
    return sum(x * x for x in box(trial, 5, -5.0, 5.0))


def rosenbrock(trial):
    x = box(trial, 5, -5.0, 10.0)
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(4))


def rastrigin(trial):
    return sum(x * x - 10 * math.cos(2 * math.pi * x) + 10 for x in box(trial, 5, -5.12, 5.12))


def ackley(trial):
    x = box(trial, 10, -32.768, 32.768)
    n = len(x)
    return (20 + math.e - 20 * math.exp(-0.2 * math.sqrt(sum(v * v for v in x) / n))
            - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / n))


def branin(trial):
    x = trial.suggest_float("x0", -5.0, 10.0)
    y = trial.suggest_float("x1", 0.0, 15.0)
    curve = y - 5.1 / (4 * math.pi ** 2) * x * x + 5 / math.pi * x - 6
    return curve * curve + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - BRANIN_MINIMUM


def hartmann(trial):
    x = box(trial, 6, 0.0, 1.0)
    total = 0.0
    for k in range(4):
        total += HARTMANN_ALPHA[k] * math.exp(-sum(HARTMANN_A[k][d] * (x[d] - 1e-4 * HARTMANN_P[k][d]) ** 2
                                                   for d in range(6)))
    return -total - HARTMANN_MINIMUM


def mixed(trial):
    """Log float, integer, stepped float and a categorical, as in tuning a learner."""
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    layers = trial.suggest_int("layers", 1, 16)
    drop = trial.suggest_float("drop", 0.0, 0.9, step=0.1)
    kind = trial.suggest_categorical("kind", ["a", "b", "c", "d"])
    return ((math.log10(rate) + 3) ** 2 + (layers - 7) ** 2 / 10 + 4 * (drop - 0.3) ** 2
            + {"a": 1.0, "b": 0.5, "c": 0.0, "d": 2.0}[kind])


FUNCTIONS = {f.__name__: f for f in (sphere, rosenbrock, rastrigin, ackley, branin, hartmann, mixed)}
