"""Regret of Optuna's samplers: one JSON line for each function, sampler and seed, with the best value after 30, 100 and
300 trials.

    quality.py SAMPLER FIRST_SEED SEEDS [FUNCTION...]
"""
import json
import sys
import warnings

import optuna

from functions import FUNCTIONS

BUDGETS = (30, 100, 300)


def sampler_of(name, seed):
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if name == "tpe_univariate":
        return optuna.samplers.TPESampler(seed=seed, multivariate=False)
    if name == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=seed)
    raise SystemExit(f"unknown sampler {name}")


def main():
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    name, first, seeds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for function in sys.argv[4:] or FUNCTIONS:
        for seed in range(first, first + seeds):
            study = optuna.create_study(sampler=sampler_of(name, seed))
            study.optimize(FUNCTIONS[function], n_trials=max(BUDGETS))
            values = [t.value for t in study.trials]
            print(json.dumps({"who": "optuna", "sampler": name, "function": function, "seed": seed,
                              "best": [min(values[:budget]) for budget in BUDGETS]}), flush=True)


main()
