"""Trains with our binary onto a real MLflow server behind a line that fails by a seed, with the server restarted in
between and our process killed; afterwards everything is at the server exactly once.

    check_faults.py TRADEWIND WORK DATA LAUNCHER PORT SEED

DATA and PORT are those of a server that LAUNCHER (scripts/launch_mlflow.sh) started. Expected values: the same
training into the local store.
"""

import json
import math
import os
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import mlflow
from fault_proxy import FaultProxy
from tradewind import Tradewind, write_bars

MODEL = "quickstart-eurusd"
TRAIN = ["train", "--config", "styles/quickstart.yaml", "--set", "agent.steps=49152", "--set", "agent.seeds=2",
         "--threads", "2"]
FLUSHES_MAX = 40


def ok(what: str) -> None:
    print(f"ok  {what}", flush=True)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def stored_runs(store: Path) -> dict[str, dict]:
    """The local store's runs by name, from its SQLite file (docs/formats/tracking.md)."""
    base = sqlite3.connect(f"file:{store}/tracking/tracking.db?mode=ro", uri=True)
    runs = {}
    for run_id, experiment, name in base.execute("SELECT run_uuid, experiment_id, name FROM runs"):
        points = [(key, step, bits(math.nan if nan else value)) for key, step, value, nan in base.execute(
            "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?", (run_id,))]
        files = store / "tracking" / "artifacts" / str(experiment) / run_id / "artifacts"
        runs[name] = {"points": points, "files": {f.name for f in files.iterdir()} if files.exists() else set(),
                      "params": dict(base.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)))}
    return runs


def comparable(points: list) -> list:
    """Without metrics that measure the machine, in an order of their own."""
    return sorted(point for point in points if not point[0].startswith("time/"))


def check_runs(client, want: dict, run_id: str) -> None:
    """The run and its nested ones have every point of the local store's, each once."""
    parent = client.get_run(run_id)
    nested = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    assert sorted(run.info.run_name for run in nested) == sorted(n for n in want if "-seed-" in n)
    for run in [parent, *nested]:
        name, local = run.info.run_name, want[run.info.run_name]
        assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time, (name, run.info.status)
        history = [(m.key, m.step, bits(m.value)) for key in run.data.metrics
                   for m in client.get_metric_history(run.info.run_id, key)]
        steps = [(key, step) for key, step, _ in history]
        assert len(steps) == len(set(steps)), f"{name}: a step is there twice"
        assert comparable(history) == comparable(local["points"]), f"{name}: {len(history)} points, not those wanted"
        assert len(history) == len(local["points"]), f"{name}: {len(history)} points of {len(local['points'])}"
        assert run.data.params == local["params"], name
        assert {f.path for f in client.list_artifacts(run.info.run_id)} == local["files"], name


def launch(launcher: str, verb: str, data: str, port: int | None = None) -> None:
    command = [launcher, verb, "--data", data, *(["--port", str(port)] if port else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"


def flush(tradewind: Tradewind) -> int:
    """Until nothing waits any more; returns how often that took."""
    for attempt in range(1, FLUSHES_MAX + 1):
        done = subprocess.run(tradewind.command("tracking", "flush"), capture_output=True, text=True, errors="replace",
                              env=tradewind.environment, timeout=300)
        assert done.returncode in (0, 4), (done.returncode, done.stdout, done.stderr)
        if done.returncode == 0:
            return attempt
    raise AssertionError(f"something still waits after {FLUSHES_MAX} flushes: {done.stdout}")


def expect_nothing_left(tradewind: Tradewind) -> None:
    status = tradewind.run("tracking", "status")
    assert status["reachable"] and status["spool"]["records"] == 0, status
    assert status["refused"]["count"] == 0, status["refused"]
    folders = list((tradewind.store / "spool").glob("*/streams/*"))
    assert not folders, folders


def parents(client, experiment_name: str) -> list:
    experiment = client.get_experiment_by_name(experiment_name)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    return [run for run in runs if "mlflow.parentRunId" not in run.data.tags]


def check_model(client, run_id: str, versions: int) -> None:
    found = client.search_model_versions(f"name = '{MODEL}'")
    assert len(found) == versions, [(v.version, v.run_id) for v in found]
    assert [v for v in found if v.run_id == run_id], "no version of this run"
    experiment = client.get_experiment_by_name("quickstart")
    logged = [m for m in client.search_logged_models([experiment.experiment_id]) if m.source_run_id == run_id]
    assert len(logged) == 1 and str(logged[0].status) == "READY", logged


def train_and_kill(tradewind: Tradewind, agents_wanted: int) -> str:
    """Kills a training behind its first agent's end, while others still learn; returns the run's id."""
    training = tradewind.start(*TRAIN)
    deadline = time.monotonic() + 120
    while not (agents := list((tradewind.store / "runs").glob("pending-*/agents/*.safetensors"))):
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < deadline, "no agent in two minutes without a server"
        time.sleep(0.005)
    training.kill()
    training.communicate()
    run = agents[0].parent.parent
    # A training that has come to its end would have nothing to go on with.
    left = agents_wanted - len(list((run / "agents").glob("*.safetensors")))
    assert left > 0 and not (run / "conclusion.json").exists(), f"too late: {left} agents were left to learn"
    return run.name


def main() -> None:
    binary, work, data, launcher, port, seed = sys.argv[1:7]
    work, port, seed = Path(work), int(port), int(seed)
    bars = work / "EURUSD.csv"
    write_bars(bars, 40)
    local = Tradewind(binary, work / "local")
    spooled = {}
    for name in ("faults", "killed"):
        spooled[name] = work / name
    for store in (local.store, *spooled.values()):
        Tradewind(binary, store).import_bars(bars)
    local.run(*TRAIN)
    want = stored_runs(local.store)
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
    client = mlflow.MlflowClient()

    # 1. A line on which nearly half of all requests fail, and a server that restarts in the middle.
    with FaultProxy(port, seed, 0.45) as proxy:
        ours = Tradewind(binary, spooled["faults"], f"http://127.0.0.1:{proxy.port}")
        training = ours.start(*TRAIN)
        time.sleep(2)
        launch(launcher, "stop", data)
        launch(launcher, "start", data, port)
        ours.end(training)
        times = flush(ours)
        proxy.rate = 0
        expect_nothing_left(ours)
        faults = {k: v for k, v in sorted(proxy.counts.items()) if k != "none"}
        assert sum(faults.values()) >= 10, proxy.counts
    (parent,) = parents(client, "quickstart")
    check_runs(client, want, parent.info.run_id)
    check_model(client, parent.info.run_id, 1)
    ok(f"seed {seed}: {sum(faults.values())} faults ({', '.join(f'{v} {k}' for k, v in faults.items())}), "
       f"a restart, {times} flushes: everything there once")

    # 2. The server is down from the start, the training is killed in the middle, and goes on.
    ours = Tradewind(binary, spooled["killed"], f"http://127.0.0.1:{port}")
    launch(launcher, "stop", data)
    run_id = train_and_kill(ours, sum("-seed-" in name for name in want))
    assert ours.run("tracking", "status")["spool"]["records"] > 0
    launch(launcher, "start", data, port)
    done = ours.run("train", "--resume", run_id, "--set", "tracking.exit_wait_seconds=120")
    assert len(done["run_id"]) == 32 and done["model"]["version"] == 2, (done["run_id"], done["model"])
    assert done["tracking"] == {"pending": False, "records_waiting": 0}, done["tracking"]
    expect_nothing_left(ours)
    assert len(parents(client, "quickstart")) == 2
    check_runs(client, want, done["run_id"])
    check_model(client, done["run_id"], 2)
    ok("no server, a training killed and resumed as " + run_id[:16] + "...: everything there once")

    # 3. The local store, copied.
    local_here = Tradewind(binary, local.store, f"http://127.0.0.1:{port}")
    dry = local_here.run("tracking", "export", "--dry-run")
    first = local_here.run("tracking", "export")
    for key in ("runs", "points", "files", "models", "versions"):
        assert dry[key] == first[key] > 0, (dry, first)
    second = local_here.run("tracking", "export")
    assert second["unchanged_runs"] == first["runs"] and second["runs"] == second["versions"] == 0, second
    copies = [run for run in parents(client, "quickstart") if "tradewind.exported" in run.data.tags]
    assert len(copies) == 1
    check_runs(client, want, copies[0].info.run_id)
    ok(f"export: {first['runs']} runs, {first['points']} points; a second one changes nothing")

    # 4. A server that is not there.
    away = Tradewind(binary, spooled["killed"], "http://127.0.0.1:9")
    assert away.run("tracking", "status")["reachable"] is False
    away.run("runs", "list", code=4)
    ok("without a server: status says so, reading ends with exit code 4")


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    main()
