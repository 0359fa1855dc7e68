"""Runs a search as an array job, ends one node while it works, and reads the study with real optuna.

    check.py TRADEWIND WORK

WORK holds a running Slurm: slurmd-<node>.pid of each node. SLURM_CONF is set.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.trial import TrialState

TRIALS = 14
STYLE = """
name: small
world: {episode_bars: 100}
validation: {folds: 2, min_train_fraction: 0.5, purge_bars: 5}
agent: {steps: 60000, seeds: 1, envs: 4}
ppo: {n_steps: 64, batch_size: 64, n_epochs: 4}
baselines: {random_runs: 10}
verdict: {bootstrap_runs: 200}
search:
  pruner: none
  heartbeat_seconds: 3
  space:
    ppo.gamma: {type: float, low: 0.9, high: 0.999}
    ppo.learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
"""


def write_bars(path: Path, bars: int = 1500) -> None:
    """A random walk of hourly bars in weeks of 120 hours from Sunday 22:00 UTC (winter)."""
    rng = random.Random(5)
    lines = ["time,open,high,low,close,volume"]
    price, week = 1.1, datetime(2015, 1, 4, 22)
    for i in range(bars):
        at = week + timedelta(weeks=i // 120, hours=i % 120)
        if at >= datetime(2015, 3, 8):  # New York's summer time
            at -= timedelta(hours=1)
        close = price * (1 + rng.gauss(0, 0.001))
        high, low = max(price, close) + 0.0003, min(price, close) - 0.0003
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{price:.5f},{high:.5f},{low:.5f},{close:.5f},100")
        price = close
    path.write_text("\n".join(lines) + "\n")


def load(url: str, study: str) -> list:
    return optuna.load_study(study_name=study, storage=url).get_trials(deepcopy=False)


def end_node(work: Path, node: str, storage_file: str) -> int:
    """Ends the node's daemon and everything that it runs, as a power cut would."""
    doomed = [int((work / f"slurmd-{node}.pid").read_text())]
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        ours = f"SLURM_CONF={work}/slurm.conf".encode() in environment
        if ours and f"SLURMD_NODENAME={node}".encode() in environment:
            doomed.append(int(process.name))
            assert b"sqlite" not in command, "the storage's URL is in the arguments"
        elif ours and b"slurmstepd" in command and f"-{node}".encode() in command:
            doomed.append(int(process.name))
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return len(doomed)


def main(binary: str, work: Path) -> None:
    home, study = work / "home", "on-slurm"
    csv, style = work / "bars.csv", work / "style.yaml"
    write_bars(csv)
    style.write_text(STYLE)
    base = ["--store", str(home), "--json", "--quiet"]
    subprocess.run(
        [binary, "data", "import", str(csv), "--instrument", "EURUSD", "--freq", "60min", *base],
        check=True, capture_output=True)
    url = f"sqlite:///{work}/studies.db"
    optimize = subprocess.Popen(
        [binary, "optimize", "--config", str(style), "--trials", str(TRIALS), "--study", study,
         "--launcher", "slurm", "--workers", "3", *base],
        env=os.environ | {"TRADEWIND_DB": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # A node is lost while its worker is in a trial.
        deadline, victim = time.monotonic() + 60, None
        while victim is None:
            assert time.monotonic() < deadline and optimize.poll() is None, (
                optimize.communicate(timeout=5) if optimize.poll() is not None else "no trial ran on node n1 in a minute")
            time.sleep(0.2)
            if not (work / "studies.db").exists():
                continue
            queue = subprocess.run(["squeue", "-h", "-r", "-t", "running", "-o", "%F_%K %N"], capture_output=True, text=True)
            tasks = {line.split()[1]: "slurm:" + line.split()[0] for line in queue.stdout.splitlines() if " " in line}
            try:
                trials = load(url, study)
            except KeyError:
                continue
            if sum(t.state == TrialState.COMPLETE for t in trials) < 2:
                continue
            for trial in trials:
                if trial.state == TrialState.RUNNING and trial.user_attrs.get("worker") == tasks.get("n1", "-"):
                    victim = trial
        assert end_node(work, "n1", url) >= 2
        out, err = optimize.communicate(timeout=150)
    finally:
        if optimize.poll() is None:
            optimize.terminate()
            optimize.wait(timeout=60)
    assert optimize.returncode == 0, err
    answer = json.loads(out)
    trials = load(url, study)
    assert [t.number for t in trials] == list(range(len(trials))), "numbers have gaps"
    lost = [t for t in trials if t.state == TrialState.FAIL]
    assert [t.number for t in lost] == [victim.number], [(t.number, t.state) for t in trials]
    again = [t for t in trials if t.system_attrs.get("failed_trial") == victim.number]
    assert len(again) == 1 and again[0].state == TrialState.COMPLETE and again[0].params == victim.params
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    assert len(complete) == TRIALS and len(trials) == TRIALS + 1
    workers = {t.user_attrs["worker"] for t in complete}
    assert len(workers) >= 2 and all(w.startswith("slurm:") for w in workers), workers
    assert answer["trials"]["complete"] == TRIALS
    assert answer["winner"]["training"]["trials"] == TRIALS, "the ledger counts each configuration once"
    assert answer["winner"]["training"]["holdout_looks"] == 1
    print(f"slurm: {TRIALS} trials by {len(workers)} array tasks; node n1 was lost in trial {victim.number}, "
          f"which trial {again[0].number} repeated")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main(sys.argv[1], Path(sys.argv[2]))
