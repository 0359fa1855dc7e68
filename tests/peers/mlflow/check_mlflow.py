"""Trains with our binary once into the local store and once onto a real MLflow server, and reads the server back with
MLflow's own client.

    check_mlflow.py TRADEWIND URL WORK [--screenshots DIR]

Expected values: the local store's SQLite file, read as its format page describes it; for models, our own program's
answers and a float64 NumPy network over the safetensors files.
"""

import argparse
import json
import math
import sqlite3
import struct
import time
import warnings
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pandas as pd
from tradewind import Tradewind, write_bars

ROWS = 10_000
MODEL = "quickstart-eurusd"
TRAIN = ["train", "--config", "styles/quickstart.yaml", "--set", "agent.steps=16384", "--set", "agent.seeds=2",
         "--threads", "2"]
# Logits of float32 networks: both sides round, in different orders. Measured: 2e-6; the exporter's own test allows 2e-5.
LOGIT_TOLERANCE = 2e-5


def ok(what: str) -> None:
    print(f"ok  {what}", flush=True)


def bits(value: float) -> int:
    return struct.unpack("<q", struct.pack("<d", value))[0]


def local_runs(store: Path) -> dict[str, dict]:
    """Runs of the local store by name: params, tags, and the points of every metric as (key, step, bits)."""
    base = sqlite3.connect(f"file:{store}/tracking/tracking.db?mode=ro", uri=True)
    runs = {}
    for run_id, name, status in base.execute("SELECT run_uuid, name, status FROM runs"):
        points = {(key, step, bits(math.nan if nan else value)) for key, step, value, nan in base.execute(
            "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?", (run_id,))}
        runs[name] = {"id": run_id, "status": status, "points": points,
                      "params": dict(base.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,))),
                      "tags": dict(base.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)))}
    return runs


def timeless(points: set) -> set:
    """Without the metrics that measure the machine."""
    return {point for point in points if not point[0].startswith("time/")}


def check_runs(client, local: dict, run_id: str) -> None:
    parent = client.get_run(run_id)
    experiment = client.get_experiment_by_name("quickstart")
    assert parent.info.experiment_id == experiment.experiment_id
    nested = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    names = sorted(run.info.run_name for run in nested)
    assert names == sorted(name for name in local if "-seed-" in name), names
    points = 0
    for run in [parent, *nested]:
        want = local[run.info.run_name]
        assert run.info.status == "FINISHED" and want["status"] == 3, (run.info.run_name, run.info.status)
        assert run.info.end_time and run.info.end_time >= run.info.start_time
        history = [(m.key, m.step, bits(m.value)) for key in run.data.metrics
                   for m in client.get_metric_history(run.info.run_id, key)]
        assert len(history) == len(set(history)), f"{run.info.run_name}: a point is there twice"
        got, wanted = timeless(set(history)), timeless(want["points"])
        assert got == wanted, f"{run.info.run_name}: {len(got - wanted)} points too many, {len(wanted - got)} missing"
        assert {m[0] for m in history} == {m[0] for m in want["points"]}, "other metrics"
        assert run.data.params == want["params"]
        for key, value in want["tags"].items():
            if key not in ("mlflow.parentRunId", "mlflow.user") and not key.startswith("tradewind."):
                assert run.data.tags.get(key) == value, (run.info.run_name, key, run.data.tags.get(key), value)
        points += len(history)
    ok(f"a run and {len(nested)} nested ones: {points} points of metrics equal to the local store's to the bit")


def check_artifacts(client, local_store: Path, local: dict, run_id: str, experiment_of_local: str = "1") -> None:
    names = {f.path for f in client.list_artifacts(run_id)}
    folder = local_store / "tracking" / "artifacts" / experiment_of_local / local["quickstart-EURUSD"]["id"] / "artifacts"
    assert names == {path.name for path in folder.iterdir()}, names
    for name in ("style.yaml", "trades.csv", "equity.csv", "targets.csv", "verdict.txt"):
        got = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name)).read_bytes()
        assert got == (folder / name).read_bytes(), name
    ok(f"{len(names)} artifacts, the tables equal to the local store's to the byte")


def check_registry(client, ours: Tradewind, run_id: str) -> None:
    ours.run("models", "promote", f"{MODEL}:1")
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert version.version in (1, "1") and version.run_id == run_id and version.status == "READY", version
    assert "verdict" in version.tags and version.description
    experiment = client.get_experiment_by_name("quickstart")
    (logged,) = client.search_logged_models([experiment.experiment_id])
    assert logged.name == MODEL and logged.source_run_id == run_id and str(logged.status) == "READY", logged
    assert version.source == f"models:/{logged.model_id}", version.source
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": MODEL, "version": 1}]  # the UI's link
    listed = {m["name"]: m["aliases"] for m in ours.run("models", "list")}  # beside what the live test has left
    assert listed[MODEL] == {"champion": 1}, listed
    ok("logged model, registered version 1, alias champion")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    return {name: np.frombuffer(data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]], "<f4")
            .reshape(t["shape"]).astype(np.float64) for name, t in header.items() if name != "__metadata__"}


def float64_logits(package: Path, rows: np.ndarray) -> np.ndarray:
    """[n, members, 3]: the agents as the format pages describe them, in float64 (tanh networks, discrete)."""
    normaliser = json.loads((package / "normaliser.json").read_text())
    center = np.array([f["center"] for f in normaliser["features"]])
    scale = np.array([f["scale"] for f in normaliser["features"]])
    features = np.clip((rows[:, :len(center)].astype(np.float64) - center) / scale, -normaliser["clip"],
                       normaliser["clip"])
    features[~np.isfinite(rows[:, :len(center)])] = 0
    x = np.concatenate([features.astype(np.float32), rows[:, len(center):]], axis=1).astype(np.float64)
    members = []
    for path in sorted(package.glob("member-*.safetensors")):
        t, h, layer = read_safetensors(path), x, 0
        while f"mlp_extractor.policy_net.{layer}.weight" in t:
            name = f"mlp_extractor.policy_net.{layer}"
            h, layer = np.tanh(h @ t[name + ".weight"].T + t[name + ".bias"]), layer + 2
        members.append(h @ t["action_net.weight"].T + t["action_net.bias"])
    return np.stack(members, axis=1)


def check_models(ours: Tradewind, work: Path) -> None:
    package = work / f"package-{time.monotonic_ns()}"
    uri = f"models:/{MODEL}@champion"
    ours.run("models", "export", f"{MODEL}@champion", "--to", str(package), "--observations", str(ROWS))
    rows, want = np.load(package / "observations.npy"), np.load(package / "exposures.npy")
    assert rows.shape[0] == want.shape[0] == ROWS, rows.shape
    assert len(np.unique(want)) > 2, "the agents do the same thing everywhere: a test that cannot fail"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.load_model(uri)
    columns = model.metadata.metadata["columns"]
    assert columns == json.loads((package / "observations.json").read_text())["columns"]
    answers = model.predict(rows)
    logits = float64_logits(package, rows)
    best = np.sort(logits, axis=2)
    near = ((best[:, :, -1] - best[:, :, -2]) < 2 * LOGIT_TOLERANCE).any(axis=1)
    differ = answers["exposure"][:, 0] != want
    assert not (differ & ~near).any(), f"{np.sum(differ & ~near)} rows differ though no two logits are near each other"
    exact = (np.argmax(logits, axis=2) - 1.0).astype(np.float32)
    assert (answers["member_exposures"] == exact)[~near].all(), "the members differ from the float64 networks"
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    odds = (odds / odds.sum(axis=2, keepdims=True)).mean(axis=1)
    worst = np.abs(answers["probabilities"] - odds).max()
    assert worst < LOGIT_TOLERANCE, worst
    ok(f"mlflow.pyfunc: {ROWS} rows, {np.sum(differ)} other exposures ({np.sum(near)} rows have near logits); "
       f"probabilities within {worst:.1e}")

    frame = model.predict(pd.DataFrame(rows[:100], columns=columns))
    assert (frame["exposure"] == answers["exposure"][:100]).all()
    holes = rows[:50].copy()
    holes[np.arange(50), np.arange(50) % (len(columns) - 4)] = [np.nan, np.inf, -np.inf, np.nan, np.inf] * 10
    exact = np.argmax(float64_logits(package, holes), axis=2) - 1.0
    assert (model.predict(holes)["member_exposures"] == exact).all()
    for bad in (rows[:3].astype(np.float64), rows[:3, 1:]):
        try:
            model.predict(bad)
            raise AssertionError(f"{bad.dtype} {bad.shape} was taken")
        except mlflow.exceptions.MlflowException:
            pass
    example = model.input_example
    assert example.shape == (5, len(columns)) and np.isfinite(model.predict(example.astype(np.float32))["exposure"]).all()
    ok("a data frame, values that are not finite, wrong types, the input example")

    graph = mlflow.onnx.load_model(uri)
    onnx.checker.check_model(graph, full_check=True)
    assert [o.name for o in graph.graph.output] == ["exposure", "member_exposures", "probabilities"]
    assert (package / "model.onnx").read_bytes() == graph.SerializeToString() or \
        onnx.load(package / "model.onnx") == graph
    again = mlflow.pyfunc.load_model(str(package))
    assert (again.predict(rows)["exposure"] == answers["exposure"]).all()
    ok("mlflow.onnx, and the exported folder without a server")


def check_backtest(local: Tradewind, ours: Tradewind) -> None:
    asked = ["backtest", "--model", f"{MODEL}:1"]
    here, there = local.run(*asked), ours.run(*asked)
    for key in ("final_equity", "order_hash", "metrics", "costs", "counts", "bars"):
        assert here[key] == there[key], f"{key}: {here[key]} here, {there[key]} there"
    ok(f"backtest of the registered model: equity {there['final_equity']} and orders {there['order_hash']} as from the "
       "local store")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("url")
    parser.add_argument("work", type=Path)
    parser.add_argument("--local", type=Path, help="a store that is trained already")
    options = parser.parse_args()
    work = options.work
    mlflow.set_tracking_uri(options.url)
    client = mlflow.MlflowClient()
    bars = work / "bars.csv"
    if not bars.exists():
        write_bars(bars, 112, seed=20150104)

    stores = {"local": work / "local", "server": work / f"server-{time.monotonic_ns()}"}
    local = Tradewind(options.binary, stores["local"])
    ours = Tradewind(options.binary, stores["server"], options.url)
    for program in (local, ours):
        if not program.store.exists():
            program.import_bars(bars)
            if program is local:
                local.run(*TRAIN)
    trained = ours.run(*TRAIN)
    assert trained["model"]["name"] == MODEL and trained["model"]["version"] == 1, trained["model"]
    kept = local_runs(stores["local"])
    assert not (stores["server"] / "tracking" / "tracking.db").exists() or not local_runs(stores["server"]), \
        "the local store has runs too"
    check_runs(client, kept, trained["run_id"])
    check_artifacts(client, stores["local"], kept, trained["run_id"])
    check_registry(client, ours, trained["run_id"])
    check_models(ours, work)
    check_backtest(local, ours)
    (work / "trained.json").write_text(json.dumps(trained))


if __name__ == "__main__":
    main()
