"""MLflow's client and Tradewind log to the same server, in turns; then a training into the local store, to a server that
costs this machine nothing, as one elsewhere does, and to the real one on the same cores.

    compare.py MLFLOW_BENCH TRADEWIND URI WORK ROUNDS

Medians of the rounds. A point is one value of one metric at one step, counted when the server has it.
"""

import contextlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
from mlflow.entities import Metric

KEYS = 14  # values of one log, as PPO has them
SLOW_STEPS = 100  # one call a step is slow
STEPS = 2000
TRAININGS = 5
AGENTS, SHORT, LONG = 4, 100_000, 600_000  # of a training with one seed; steps of each


def client_one_log_a_step(steps: int) -> float:
    """What a training loop in Python does: log_metrics at every log, which waits for the server."""
    with mlflow.start_run(run_name="python, a call a log"):
        begin = time.perf_counter()
        for step in range(steps):
            mlflow.log_metrics({f"train/metric_{i}": 0.5 + step for i in range(KEYS)}, step=step)
        return steps * KEYS / (time.perf_counter() - begin)


def client_batches(steps: int) -> float:
    """The best that MLflow's client can: 1,000 points a call."""
    client = mlflow.MlflowClient()
    with mlflow.start_run(run_name="python, batches") as run:
        begin = time.perf_counter()
        points = [Metric(f"train/metric_{i}", 0.5 + step, int(time.time() * 1000), step)
                  for step in range(steps) for i in range(KEYS)]
        for first in range(0, len(points), 1000):
            client.log_batch(run.info.run_id, metrics=points[first:first + 1000])
        return len(points) / (time.perf_counter() - begin)


def ours(bench: str, uri: str, folder: Path, steps: int) -> dict:
    done = subprocess.run([bench, uri, str(folder), str(steps)], check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    history = mlflow.MlflowClient().get_metric_history(result["run_id"], "train/metric_3")
    assert [m.step for m in sorted(history, key=lambda m: m.step)] == list(range(steps)), "not every point is there"
    return result


def training(tradewind: str, store: Path, uri: str, steps: int) -> tuple[float, float]:
    """A training on one thread, `steps` for each agent: seconds, and processor seconds of all its threads."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TRADEWIND_"))}
    if uri:
        environment["MLFLOW_TRACKING_URI"] = uri
    command = [tradewind, "train", "--config", "styles/quickstart.yaml", "--set", f"agent.steps={steps}", "--set",
               "agent.seeds=1", "--set", "tracking.exit_wait_seconds=0", "--threads", "1", "--store", str(store), "--quiet"]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return end - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def while_training(tradewind: str, market: Path, store: Path, uri: str) -> tuple[float, float]:
    """Steps/s and processor microseconds a step, of the agents' learning alone: the difference of a long and a short
    training, whose begin and end (which wait for the server's ids) cost the same."""
    measured = []
    for steps in (SHORT, LONG):
        here = store.with_name(f"{store.name}-{steps}")
        shutil.copytree(market, here, symlinks=True)  # nothing waits in it
        measured.append(training(tradewind, here, uri, steps))
    steps = AGENTS * (LONG - SHORT)
    (short_s, short_cpu), (long_s, long_cpu) = measured
    return steps / (long_s - short_s), (long_cpu - short_cpu) / steps * 1e6


@contextlib.contextmanager
def far_server():
    """far_server.py while somebody needs it: its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, str(Path(__file__).with_name("far_server.py")), str(port)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def import_bars(tradewind: str, work: Path, store: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/peers/common"))
    from tradewind import write_bars  # the tests' own made-up market

    bars = work / "EURUSD.csv"
    write_bars(bars, 52)
    subprocess.run([tradewind, "data", "import", str(bars), "--instrument", "EURUSD", "--freq", "60min", "--store",
                    str(store), "--quiet"], check=True, capture_output=True)


def main() -> None:
    bench, tradewind, uri, work, rounds = *sys.argv[1:4], Path(sys.argv[4]), int(sys.argv[5])
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")
    slow, fast, here = [], [], []
    for k in range(rounds):
        slow.append(client_one_log_a_step(SLOW_STEPS))
        fast.append(client_batches(STEPS))
        here.append(ours(bench, uri, work / f"spool-{k}", STEPS))
    rate = statistics.median(r["points"] / r["seconds"] for r in here)
    held = statistics.median(r["held_up"] / STEPS * 1e6 for r in here)
    print(f"points/s at the server: tradewind {rate:,.0f}, mlflow client with batches {statistics.median(fast):,.0f}, "
          f"with a call a log {statistics.median(slow):,.0f}")
    print(f"one log of {KEYS} values holds the caller up: tradewind {held:.1f} us, "
          f"mlflow client {KEYS / statistics.median(slow) * 1e6:,.0f} us")
    print(f"memory of the logging process: {max(r['peak_mb'] for r in here):.1f} MB")
    market = work / "market"
    import_bars(tradewind, work, market)
    runs: dict[str, list[tuple[float, float]]] = {"the local store": [], "a server elsewhere": [],
                                                  "the real server on these cores": []}
    with far_server() as far:
        for k in range(TRAININGS):
            for n, (where, address) in enumerate(zip(runs, ("", far, uri))):
                runs[where].append(while_training(tradewind, market, work / f"store-{k}-{n}", address))
        with urllib.request.urlopen(far + "/points") as answer:
            points = json.loads(answer.read())["points"]
    assert points > TRAININGS * 1000, f"only {points} points came to the server elsewhere"
    print(f"{AGENTS * (LONG - SHORT):,} steps of a training on one thread, medians of {TRAININGS}:")
    local = [statistics.median(values) for values in zip(*runs["the local store"])]
    for where, measured in runs.items():
        rate, used = (statistics.median(values) for values in zip(*measured))
        print(f"  into {where}: {rate:,.0f} steps/s ({100 * (rate / local[0] - 1):+.1f}%), "
              f"{used:.3f} us of processor a step ({100 * (used / local[1] - 1):+.1f}%)")
    print(f"  points sent elsewhere: {points:,}")


if __name__ == "__main__":
    main()
