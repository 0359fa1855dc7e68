"""Runs a search as an array job, ends one node while it works, and reads the study with real optuna.

    check.py TRADEWIND WORK

WORK holds a running Slurm: slurmd-<node>.pid of each node. SLURM_CONF is set.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import sqlalchemy
from optuna.trial import TrialState
from tradewind import Tradewind, write_bars

TRIALS = 14
DEADLINE_S = 180
STYLE = """
name: small
world: {episode_bars: 100}
validation: {folds: 2, min_train_fraction: 0.5, purge_bars: 5}
agent: {steps: 120000, seeds: 1, envs: 4}
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


def load(url: str, study: str) -> list:
    storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 2}})
    return optuna.load_study(study_name=study, storage=storage).get_trials(deepcopy=False)


def processes_of(work: Path, node: str) -> list[int]:
    """The node's daemon and everything that it runs."""
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
    return doomed


def send(what: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            pass


def end_node(work: Path, node: str, is_in_trial) -> bool:
    """Ends all processes of a node, as a power cut would, if they stand still in a trial; lets them go on if not."""
    doomed = processes_of(work, node)
    send(signal.SIGSTOP, doomed)
    try:
        time.sleep(0.05)  # what has begun a system call stands behind it
        ends = len(doomed) >= 2 and is_in_trial()
    except sqlalchemy.exc.OperationalError:  # it stands while it writes, and nobody can read
        ends = False
    send(signal.SIGKILL if ends else signal.SIGCONT, doomed)
    return ends


def main(binary: str, work: Path) -> None:
    home, study = work / "home", "on-slurm"
    csv, style = work / "bars.csv", work / "style.yaml"
    write_bars(csv, 13)
    style.write_text(STYLE)
    url = f"sqlite:///{work}/studies.db"
    ours = Tradewind(binary, home, storage=url)
    ours.import_bars(csv)
    optimize = ours.start("optimize", "--config", str(style), "--trials", str(TRIALS), "--study", study, "--launcher",
                          "slurm", "--workers", "3")
    try:
        # A node is lost while its worker is in a trial.
        deadline, victim = time.monotonic() + DEADLINE_S, None
        while victim is None:
            assert time.monotonic() < deadline and optimize.poll() is None, (
                optimize.communicate(timeout=5) if optimize.poll() is not None else f"no trial on node n1 in {DEADLINE_S} s")
            time.sleep(0.2)
            if not (work / "studies.db").exists():
                continue
            queue = subprocess.run(["squeue", "-h", "-r", "-t", "running", "-o", "%F_%K %N"], capture_output=True, text=True)
            tasks = {line.split()[1]: "slurm:" + line.split()[0] for line in queue.stdout.splitlines() if " " in line}
            try:
                trials = load(url, study)
            except (KeyError, sqlalchemy.exc.OperationalError):
                continue
            if sum(t.state == TrialState.COMPLETE for t in trials) < 2:
                continue
            def on_n1(trials: list) -> list:
                return [t for t in trials if t.state == TrialState.RUNNING and t.user_attrs.get("worker") == tasks.get("n1", "-")]
            if (seen := on_n1(trials)) and end_node(
                    work, "n1", lambda: [t.number for t in on_n1(load(url, study))] == [seen[0].number]):
                victim = seen[0]
        answer = ours.end(optimize, timeout=300)
    finally:
        if optimize.poll() is None:
            optimize.terminate()
            optimize.wait(timeout=60)
    trials = load(url, study)
    assert [t.number for t in trials] == list(range(len(trials))), "numbers have gaps"
    lost = [t for t in trials if t.state == TrialState.FAIL]
    assert [t.number for t in lost] == [victim.number], [(t.number, t.state) for t in trials]
    victim = lost[0]
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
