"""The runs of a search on a real MLflow server, read with MLflow's own client: check_runs.py URL EXPECTED

EXPECTED is JSON of check.py: what optuna says of the study.
"""

import json
import struct
import sys
from pathlib import Path

import mlflow


def ok(what: str) -> None:
    print(f"ok  {what}", flush=True)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def same_param(stored: str, value) -> bool:
    return float(stored) == value if isinstance(value, (int, float)) else stored == value


def check_trial(client, run, trial: dict, has_returns: bool) -> None:
    where = run.info.run_name
    assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time, (where, run.info.status)
    assert run.data.params.keys() == trial["params"].keys(), where
    assert all(same_param(run.data.params[k], v) for k, v in trial["params"].items()), (where, run.data.params)
    history = {m.step: bits(m.value) for m in client.get_metric_history(run.info.run_id, "objective")}
    reports = {int(step): bits(value) for step, value in trial["reports"].items() if value == value}
    assert history == reports, (where, history, reports)
    for key in ("sharpe", "total_return", "max_drawdown"):
        assert run.data.metrics.get(key) == trial["user_attrs"].get(key), (where, key)
    files = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert files == {"style.yaml"} | ({"daily_returns.csv"} if has_returns else set()), (where, files)


def check_winner(client, experiment: str, winner: dict, runs: dict) -> None:
    training = winner["training"]
    run = client.get_run(winner["run_id"])
    assert run.info.run_id in {r.info.run_id for r in runs.values()}, "the winner's training is not nested"
    assert run.info.status == "FINISHED" and "holdout/total_return" in run.data.metrics, run.data.metrics
    agents = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert sorted(r.info.run_name for r in agents) == sorted(
        f"{window}-seed-{seed}" for window in ("fold-1", "fold-2", "fold-3", "final") for seed in (1, 2))
    versions = client.search_model_versions(f"name = '{training['model']['name']}'")
    assert [(str(v.version), v.run_id) for v in versions] == [("1", run.info.run_id)], versions
    assert str(training["model"]["version"]) == "1" and versions[0].tags["verdict"], versions[0].tags


def main(url: str, expected: dict) -> None:
    mlflow.set_tracking_uri(url)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("live").experiment_id
    study = expected["study"]
    parents = [r for r in client.search_runs([experiment], f"tags.`optuna.study` = '{study}'", max_results=1000)
               if "mlflow.parentRunId" not in r.data.tags]
    assert len(parents) == 1, [r.info.run_name for r in parents]
    parent = parents[0]
    assert parent.info.run_name == "search " + study and parent.info.status == "FINISHED", parent.info
    assert {f.path for f in client.list_artifacts(parent.info.run_id)} == {"style.yaml", "study.json"}
    summary = parent.data.metrics
    assert summary["trials/complete"] + summary["trials/pruned"] >= len(expected["returns"]) and "pbo" in summary, summary
    nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", max_results=1000)
    runs = {r.info.run_id: r for r in nested}
    by_trial = {}
    for run in nested:
        if "optuna.trial" in run.data.tags:
            by_trial.setdefault(int(run.data.tags["optuna.trial"]), []).append(run)
    assert by_trial.keys() == {t["number"] for t in expected["trials"]}, by_trial.keys()
    for trial in expected["trials"]:
        assert len(by_trial[trial["number"]]) == 1, [(r.info.run_name, r.info.status) for r in by_trial[trial["number"]]]
        (run,) = by_trial[trial["number"]]
        # A trial that ended before the server had answered knows its run by the key that it gave.
        names = (run.info.run_id, run.data.tags["tradewind.unique_key"])
        assert trial["user_attrs"]["run_id"] in names, (trial["user_attrs"], names)
        if trial["number"] == expected.get("killed"):
            assert run.info.status == "KILLED", (run.info.run_name, run.info.status)
        else:
            check_trial(client, run, trial, trial["number"] in expected["returns"])
    if expected["winner"]:
        check_winner(client, experiment, expected["winner"], runs)
    assert len(nested) == len(by_trial) + bool(expected["winner"]), [r.info.run_name for r in nested]
    ok(f"MLflow: one run of the search {study}, {len(by_trial)} trials nested in it, each once"
       + (", its winner with verdict and model" if expected["winner"] else ""))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
