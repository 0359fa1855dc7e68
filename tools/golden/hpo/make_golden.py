"""Writes tests/golden/hpo/*.json from the real libraries: optuna 5.0.0, cmaes 0.13.1, numpy 2.4.6, scipy 1.17.1,
scikit-learn 1.9.1, Python 3.11.

    make_golden.py tests/golden/hpo

Numbers are written with 17 digits. Observations have no ties: numpy's default sort is not stable. NaN and infinities are
the texts "nan", "inf", "-inf".
"""
import json
import math
import pathlib
import sys
import warnings

import cmaes
import numpy as np
import optuna
from optuna._hypervolume import compute_hypervolume
from optuna._hypervolume.hssp import _solve_hssp
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.distributions import distribution_to_json
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective, default_weights
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import TrialState, create_trial
import scipy.stats

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def plain(value):
    """The same in types that JSON knows."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (np.floating, float)):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    return value


def truncated_normal():
    bounds = [(-1, 2), (2, 5), (-10, -5), (5, 30), (-0.3, 0.1), (-40, -30), (0, 1), (-60, 60), (1e-3, 2e-3), (-8, 0)]
    cases = []
    for a, b in bounds:
        cases.append({"a": float(a), "b": float(b),
                      "log_mass": _truncnorm._log_gauss_mass(np.array([float(a)]), np.array([float(b)]))[0],
                      "quantiles": [[q, _truncnorm.ppf(q, float(a), float(b))[0]] for q in (1e-6, 0.1, 0.5, 0.9, 0.999)]})
    return {"cases": cases, "normal_quantiles": [[p, scipy.stats.norm.ppf(p)]
                                                 for p in (1e-300, 1e-20, 1e-5, 0.02, 0.3, 0.5, 0.77, 0.99999)],
            "log_cdf": [[x, scipy.stats.norm.logcdf(x)] for x in (-300.0, -40.0, -20.5, -19.5, -3.0, 0.0, 5.0, 7.0)]}


SPACES = {
    "float": {"x": FloatDistribution(-5.0, 5.0)},
    "offset": {"x": FloatDistribution(1e6, 1e6 + 1.0)},
    "log": {"x": FloatDistribution(1e-5, 1e-1, log=True)},
    "int": {"x": IntDistribution(1, 9, step=2)},
    "log_int": {"x": IntDistribution(1, 1000, log=True)},
    "stepped": {"x": FloatDistribution(0.0, 1.0, step=0.05)},
    "categorical": {"x": CategoricalDistribution(["a", "b", "c"])},
    "mixed": {"c": CategoricalDistribution([True, False]), "lr": FloatDistribution(1e-5, 1e-1, log=True),
              "n": IntDistribution(1, 9, step=2), "x": FloatDistribution(0.0, 1.0)},
}


def draw(rng, dist):
    if isinstance(dist, CategoricalDistribution):
        return float(rng.randint(len(dist.choices)))
    if isinstance(dist, IntDistribution):
        steps = (dist.high - dist.low) // dist.step
        return float(dist.low + dist.step * rng.randint(steps + 1))
    if dist.step is not None:
        return dist.low + dist.step * rng.randint(round((dist.high - dist.low) / dist.step) + 1)
    if dist.log:
        return math.exp(rng.uniform(math.log(dist.low), math.log(dist.high)))
    return rng.uniform(dist.low, dist.high)


def observations_of(rng, dist, n):
    """Without ties where the distribution has room for that; flat weights (n < 25) make ties harmless."""
    values = [draw(rng, dist) for _ in range(n)]
    discrete = isinstance(dist, IntDistribution) or getattr(dist, "step", None) is not None
    if discrete and n >= 25 and not isinstance(dist, CategoricalDistribution):
        raise SystemExit("ties")
    return values


def parzen():
    cases = []
    for name, space in SPACES.items():
        for n in (0, 1, 2, 5, 24, 40, 130):
            discrete = any(isinstance(d, IntDistribution) or getattr(d, "step", None) for d in space.values())
            if discrete and n > 24:
                continue
            for options in ({}, {"consider_endpoints": True}, {"consider_magic_clip": False}):
                if options and n not in (5, 40):
                    continue
                rng = np.random.RandomState(n + 7)
                data = {k: np.array(observations_of(rng, d, n)) for k, d in space.items()}
                parameters = _ParzenEstimatorParameters(1.0, options.get("consider_magic_clip", True),
                                                        options.get("consider_endpoints", False), default_weights, True)
                estimator = _ParzenEstimator(data, space, parameters)
                mixture = estimator._mixture_distribution
                samples = {k: np.array([draw(rng, d) for _ in range(9)]) for k, d in space.items()}
                drawn = estimator.sample(np.random.RandomState(3), 24)
                cases.append({
                    "space": {k: distribution_to_json(d) for k, d in space.items()}, "options": options,
                    "observations": data, "weights": mixture.weights,
                    "sigmas": {k: d.sigma for k, d in zip(space, mixture.distributions) if hasattr(d, "sigma")},
                    "samples": samples, "log_pdf": estimator.log_pdf(samples), "drawn": drawn})
    return {"cases": cases, "gamma": [[n, default_gamma(n), default_gamma_multiobjective(n)]
                                      for n in (0, 1, 10, 11, 100, 249, 1000)],
            "weights": {str(n): default_weights(n) for n in (0, 1, 24, 25, 26, 27, 30)}}


def split():
    cases = []
    rng = np.random.RandomState(5)
    for directions in (["minimize"], ["maximize"], ["minimize", "maximize"], ["minimize"] * 3):
        for n in (3, 12, 60):
            for constrained in (False, True):
                study = optuna.create_study(directions=directions)
                for number in range(n):
                    state = rng.choice(["COMPLETE"] * 6 + ["PRUNED"] * 2 + ["FAIL"])
                    if len(directions) > 1 and state == "PRUNED":
                        state = "COMPLETE"
                    reports = {int(s): float(rng.normal()) for s in range(rng.randint(0, 4))} if state == "PRUNED" else {}
                    if state == "PRUNED" and rng.rand() < 0.2 and reports:
                        reports[max(reports)] = float("nan")
                    study.add_trial(create_trial(
                        state=TrialState[state], intermediate_values=reports,
                        values=[float(rng.normal()) for _ in directions] if state == "COMPLETE" else None,
                        system_attrs={"constraints": [float(rng.normal()), float(rng.normal() - 1)]} if constrained else {}))
                trials = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
                gamma = default_gamma if len(directions) == 1 else default_gamma_multiobjective
                below, above = _split_trials(study, trials, gamma(len(trials)))
                cases.append({"directions": directions, "trials": [
                    {"state": t.state.name, "values": t.values if t.values is not None else [],
                     "reports": [[s, v] for s, v in t.intermediate_values.items()],
                     "constraints": t.system_attrs.get("constraints", [])} for t in study.trials],
                    "below": [t.number for t in below], "above": [t.number for t in above]})
    return cases


def objective_of(kind):
    def flat(trial):
        return trial.suggest_float("x", -5, 5) ** 2 + trial.suggest_float("y", -5, 5) ** 2

    def logged(trial):
        lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        x = trial.suggest_float("x", 0.0, 1.0)
        return (math.log10(lr) + 3) ** 2 + (x - 0.3) ** 2

    def categorical(trial):
        c = trial.suggest_categorical("c", ["a", "b", None])
        x = trial.suggest_float("x", 0.0, 1.0)
        return {"a": 0.0, "b": 0.2, None: 0.5}[c] + (x - 0.3) ** 2

    def conditional(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        if x < 0.5:
            return x + trial.suggest_float("left", 0.0, 1.0)
        return x + trial.suggest_float("right", -1.0, 1.0) + trial.suggest_float("right2", 1e-3, 1.0, log=True)

    def constrained(trial):
        x = trial.suggest_float("x", -5, 5)
        y = trial.suggest_float("y", -5, 5)
        trial.set_constraint("c", 1.0 - x - y)
        return x * x + y * y

    def two(trial):
        x = trial.suggest_float("x", -5, 5)
        y = trial.suggest_float("y", -5, 5)
        return x * x + y, (x - 2) ** 2 + y * y

    def three(trial):
        x = trial.suggest_float("x", -5, 5)
        y = trial.suggest_float("y", -5, 5)
        return x * x + y, (x - 2) ** 2 + y * y, -x * y
    return locals()[kind]


def studies():
    """Whole studies, draw by draw."""
    runs = []
    for kind, n, options in (("flat", 60, {}), ("flat", 60, {"multivariate": False}), ("logged", 60, {}),
                             ("logged", 40, {"multivariate": False}), ("categorical", 40, {}),
                             ("conditional", 60, {}), ("conditional", 60, {"group": True, "multivariate": True}),
                             ("constrained", 50, {}), ("two", 50, {}), ("two", 50, {"multivariate": True}),
                             ("three", 40, {}), ("flat", 40, {"constant_liar": False})):
        directions = {"two": ["minimize"] * 2, "three": ["minimize", "minimize", "maximize"]}.get(kind, ["minimize"])
        study = optuna.create_study(directions=directions, sampler=optuna.samplers.TPESampler(seed=42, **options))
        study.optimize(objective_of(kind), n_trials=n)
        runs.append({"objective": kind, "directions": directions, "options": options,
                     "params": [[[k, t.distributions[k].to_internal_repr(v)] for k, v in t.params.items()]
                                for t in study.trials]})
    return runs


def multi_objective():
    rng = np.random.RandomState(11)
    cases = []
    for objectives in (2, 3, 4):
        for n in (1, 2, 7, 25):
            points = rng.rand(n, objectives)
            points[rng.rand(n) < 0.2] = points[0]
            reference = np.full(objectives, 1.1)
            ranks = {str(k): _fast_non_domination_rank(points, n_below=k) for k in (1, max(1, n // 2), n)}
            front = points[_fast_non_domination_rank(points) == 0]
            chosen = {str(k): _solve_hssp(front, np.arange(len(front)), k, reference) for k in range(1, len(front) + 1)}
            cases.append({"points": points, "reference": reference, "ranks": ranks, "front": front,
                          "hypervolume": compute_hypervolume(points, reference), "chosen": chosen})
    return cases


def sequences():
    result = {"sobol": [], "halton": []}
    for d in (1, 2, 10, 40, 256):
        sobol = scipy.stats.qmc.Sobol(d, scramble=False).random(16)
        late = scipy.stats.qmc.Sobol(d, scramble=False)
        late.fast_forward(100000)
        halton = scipy.stats.qmc.Halton(d, scramble=False).random(16)
        result["sobol"].append({"d": d, "points": {str(i): sobol[i] for i in (0, 1, 2, 3, 7, 15)} | {"100000": late.random(1)[0]}})
        result["halton"].append({"d": d, "points": {str(i): halton[i] for i in (0, 1, 2, 3, 7, 15)}})
    keys = []
    for kind in ("sobol", "halton"):
        study = optuna.create_study(sampler=optuna.samplers.QMCSampler(qmc_type=kind, seed=1))

        def objective(trial):
            x = trial.suggest_float("x", 0.0, 1.0)
            a = trial.suggest_int("a", 1, 100, log=True)
            n = trial.suggest_int("n", 0, 10, step=5)
            s = trial.suggest_float("s", 0.0, 1.0, step=0.25)
            c = trial.suggest_categorical("c", ["u", "it's", None, 1.5, True])
            return x + a + n + s

        study.optimize(objective, n_trials=17)
        keys.append({"type": kind, "attrs": study.system_attrs if hasattr(study, "system_attrs") else study._storage.get_study_system_attrs(study._study_id),
                     "params": [[[k, t.distributions[k].to_internal_repr(v)] for k, v in t.params.items()] for t in study.trials]})
    result["studies"] = keys
    return result


def cma():
    result = {"rates": [], "runs": [], "warm": None}
    for n in (2, 5, 10, 40):
        o = cmaes.CMA(np.full(n, 0.5), 1 / 6)
        s = cmaes.SepCMA(np.full(n, 0.5), 1 / 6)
        result["rates"].append({"n": n, "full": [o._popsize, o._mu_eff, o._c1, o._cmu, o._c_sigma, o._d_sigma, o._cc],
                                "separable": [s._popsize, s._mu_eff, s._c1, s._cmu, s._c_sigma, s._d_sigma, s._cc],
                                "weights": o._weights})
    for kind in ("full", "separable", "lr_adapt", "margin"):
        n = 4
        rng = np.random.RandomState(3)
        bounds = np.array([[0.0, 1.0]] * n)
        steps = np.array([0.0, 0.25, 0.5, 0.0])
        if kind == "full":
            o = cmaes.CMA(np.full(n, 0.5), 1 / 6, bounds=bounds, seed=1)
        elif kind == "separable":
            o = cmaes.SepCMA(np.full(n, 0.5), 1 / 6, bounds=bounds, seed=1)
        elif kind == "lr_adapt":
            o = cmaes.CMA(np.full(n, 0.5), 1 / 6, bounds=bounds, seed=1, lr_adapt=True)
        else:
            o = cmaes.CMAwM(np.full(n, 0.5), 1 / 6, bounds=bounds, steps=steps, seed=1)
        told, states = [], []
        for _ in range(12):
            solutions = []
            for _ in range(o.population_size):
                asked = o.ask()
                encoded, x = asked if kind == "margin" else (asked, asked)
                value = float(((encoded - np.array([0.3, 0.75, 0.5, 0.9])) ** 2 * [1, 10, 1, 3]).sum() + 1e-3 * rng.rand())
                solutions.append((x.copy(), value))
            told.append([[x, v] for x, v in solutions])
            o.tell(solutions)
            inner = o._cma if kind == "margin" else o
            covariance = np.diag(inner._C) if kind == "separable" else inner._C
            state = {"mean": inner._mean.copy(), "sigma": inner._sigma, "covariance": covariance.copy()}
            states.append(plain(state))
        result["runs"].append({"kind": kind, "steps": steps if kind == "margin" else [], "told": told, "states": states})
    rng = np.random.RandomState(9)
    solutions = [(rng.rand(3), float(rng.rand())) for _ in range(57)]
    mean, sigma, covariance = cmaes.get_warm_start_mgd([(x.copy(), v) for x, v in solutions])
    result["warm"] = {"solutions": [[x, v] for x, v in solutions], "mean": mean, "sigma": sigma, "covariance": covariance}
    return result


def pruners():
    runs = []
    rng = np.random.RandomState(21)
    p = optuna.pruners
    makers = {
        "median": lambda: p.MedianPruner(n_startup_trials=3, n_warmup_steps=1, interval_steps=2),
        "percentile": lambda: p.PercentilePruner(25.0, n_startup_trials=2, n_min_trials=2),
        "halving": lambda: p.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
        "halving_auto": lambda: p.SuccessiveHalvingPruner(),
        "halving_bootstrap": lambda: p.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2, bootstrap_count=3),
        "hyperband": lambda: p.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
        "hyperband_auto": lambda: p.HyperbandPruner(),
        "patient": lambda: p.PatientPruner(p.MedianPruner(n_startup_trials=2), patience=2, min_delta=0.05),
        "patient_alone": lambda: p.PatientPruner(None, patience=1),
        "threshold": lambda: p.ThresholdPruner(lower=-1.0, upper=1.5, n_warmup_steps=1, interval_steps=2),
        "wilcoxon": lambda: p.WilcoxonPruner(p_threshold=0.2),
    }
    for name, make in makers.items():
        for direction in ("minimize", "maximize"):
            study = optuna.create_study(study_name="s1", direction=direction, pruner=make(), sampler=optuna.samplers.RandomSampler(seed=1))
            curves, decisions = [], []
            for number in range(30):
                level = rng.normal()
                curve = [float(level + 0.5 * rng.normal()) for _ in range(10)]
                if name != "wilcoxon" and number % 9 == 4:
                    curve[3] = float("nan")
                trial = study.ask()
                asked = []
                for step, value in enumerate(curve):
                    trial.report(value, step)
                    asked.append(bool(trial.should_prune()))
                    if asked[-1]:
                        break
                if asked[-1]:
                    study.tell(trial, state=TrialState.PRUNED)
                else:
                    study.tell(trial, float(np.nanmean(curve)))
                curves.append(curve)
                decisions.append(asked)
            runs.append({"pruner": name, "direction": direction, "curves": curves, "decisions": decisions,
                         "rungs": [{k: v for k, v in t.system_attrs.items() if k.startswith("completed_rung")} for t in study.trials]})
    tests = []
    for n in (2, 5, 13, 14, 30, 50, 51):
        for kind in ("plain", "ties", "zeros"):
            d = rng.normal(0.3, 1.0, n)
            if kind != "plain":
                d = np.round(d * 2) / 2
            if kind == "ties":
                d[d == 0] = 0.5
            if kind == "zeros" and not (d == 0).any():
                d[0] = 0.0
            for alternative in ("greater", "less"):
                r = scipy.stats.wilcoxon(d, alternative=alternative, zero_method="zsplit")
                tests.append({"differences": d, "alternative": alternative, "statistic": r.statistic, "p": r.pvalue})
    return {"runs": runs, "wilcoxon": tests}


def importances():
    cases = []
    for kind, n in (("simple", 100), ("mixed", 150), ("conditional", 200), ("two", 120)):
        directions = ["minimize", "maximize"] if kind == "two" else ["maximize" if kind == "mixed" else "minimize"]
        study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=4))

        def objective(trial):
            x = trial.suggest_float("x", -1.0, 1.0)
            if kind == "simple":
                return x ** 2 + 0.3 * trial.suggest_float("y", -1.0, 1.0) + 0.01 * trial.suggest_float("z", 0.0, 1.0)
            if kind == "two":
                y = trial.suggest_float("y", -1.0, 1.0)
                return x * x + 0.1 * y, x - y
            if kind == "mixed":
                return (math.log10(trial.suggest_float("lr", 1e-5, 1e-1, log=True)) + 2 * trial.suggest_int("n", 1, 8)
                        + trial.suggest_int("k", 1, 200, log=True) / 100 + {"a": 0, "b": 3, "c": 1}[trial.suggest_categorical("c", ["a", "b", "c"])]
                        + trial.suggest_float("s", 0.0, 1.0, step=0.1) + x)
            if x < 0:
                return x + trial.suggest_float("left", 0.0, 2.0)
            return x + 3 * trial.suggest_float("right", 0.0, 1.0)

        study.optimize(objective, n_trials=n)
        case = {"directions": directions, "trials": [
            {"values": t.values, "params": [[k, distribution_to_json(t.distributions[k]), t.distributions[k].to_internal_repr(v)]
                                            for k, v in t.params.items()]} for t in study.trials], "results": []}
        for quantiles in ((0.1, 1.0), (0.2, 0.5)):
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantiles[0], region_quantile=quantiles[1])
            case["results"].append({"method": "ped_anova", "quantiles": quantiles,
                                    "raw": optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False),
                                    "normalised": optuna.importance.get_param_importances(study, evaluator=evaluator)})
        if kind in ("simple", "mixed"):
            for method, make in (("fanova", optuna.importance.FanovaImportanceEvaluator),
                                 ("impurity", optuna.importance.MeanDecreaseImpurityImportanceEvaluator)):
                # Averages over seeds: the forest is random.
                seeds = [optuna.importance.get_param_importances(study, evaluator=make(seed=s)) for s in range(10)]
                case["results"].append({"method": method, "mean": {k: np.mean([s[k] for s in seeds]) for k in seeds[0]},
                                        "sd": {k: np.std([s[k] for s in seeds]) for k in seeds[0]}})
        cases.append(case)
    return cases


def grid():
    space = {"b": ["u", None, 2], "a": [0.1, 0.2], "c": [1, 2, 3, 4]}
    result = []
    for seed in (None, 7):
        sampler = optuna.samplers.GridSampler(space, seed=seed)
        study = optuna.create_study(sampler=sampler)

        def objective(trial):
            trial.suggest_categorical("b", space["b"])
            trial.suggest_float("a", 0.0, 1.0)
            trial.suggest_int("c", 1, 4)
            return 0.0

        study.optimize(objective, n_trials=100)
        result.append({"seed": seed or 0, "count": len(study.trials), "attrs": study.trials[0].system_attrs,
                       "points": [[t.params["b"], t.params["a"], t.params["c"]] for t in study.trials]})
    return result


def distributions():
    dists = [FloatDistribution(0, 1), FloatDistribution(1e-7, 1e22, log=True), FloatDistribution(-0.3, 1.0, step=0.1),
             FloatDistribution(0.1, 1.0, step=0.25), FloatDistribution(-1e-5, 3.3e-5, step=1e-6), IntDistribution(-3, 12, step=4), IntDistribution(1, 1024, log=True),
             CategoricalDistribution(["a\"b'", "\u00e9\u4e2d\U0001f600", None, True, 1, 1.5, 1e16, 1e-5, float("inf")]), CategoricalDistribution((1,))]
    return [{"json": distribution_to_json(d), "repr": str(d), "single": d.single(),
             "high": getattr(d, "high", None)} for d in dists]


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for make in (truncated_normal, parzen, split, studies, multi_objective, sequences, cma, pruners, importances, grid,
                 distributions):
        text = json.dumps(plain(make()), separators=(",", ":"))
        (out / f"{make.__name__}.json").write_text(text + "\n")
        print(make.__name__, len(text))


main()
