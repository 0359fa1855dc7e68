"""One timed study of Optuna or Rustuna: sum of squares over floats, in memory.

    time_peer.py optuna|rustuna SAMPLER PARAMETERS TRIALS OBJECTIVES

Prints one JSON line with wall and processor seconds.
"""
import importlib
import json
import sys
import time
import warnings


def sampler_of(library, name):
    samplers = library.samplers
    if name == "tpe":
        return samplers.TPESampler(seed=0)
    if name == "tpe_univariate":
        return samplers.TPESampler(seed=0, multivariate=False)
    if name == "cmaes":
        return samplers.CmaEsSampler(seed=0)
    return samplers.RandomSampler(seed=0)


def main():
    who, sampler, parameters, trials, objectives = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    warnings.simplefilter("ignore")
    library = importlib.import_module(who)
    if who == "optuna":
        library.logging.set_verbosity(library.logging.CRITICAL)
    names = [f"x{i}" for i in range(parameters)]
    best = [float("inf")]

    def objective(trial):
        x = [trial.suggest_float(name, -5.0, 5.0) for name in names]
        value = sum(v * v for v in x)
        best[0] = min(best[0], value)
        return value if objectives == 1 else (value, sum((v - 2) * (v - 2) for v in x))

    directions = ["minimize"] * objectives
    study = (library.create_study(sampler=sampler_of(library, sampler)) if objectives == 1
             else library.create_study(directions=directions, sampler=sampler_of(library, sampler)))
    wall, processor = time.perf_counter(), time.process_time()
    study.optimize(objective, n_trials=trials)
    print(json.dumps({"who": who, "sampler": sampler, "parameters": parameters, "trials": trials,
                      "objectives": objectives, "seconds": time.perf_counter() - wall,
                      "processor_seconds": time.process_time() - processor, "best": best[0]}))


main()
