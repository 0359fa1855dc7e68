"""`tradewind optimize` beside real optuna on one PostgreSQL study, with its runs on a real MLflow server; then stopped,
continued, and killed.

    check.py TRADEWIND WORK STUDIES MLFLOW MLFLOW_PYTHON

STUDIES: URL of an empty PostgreSQL database; MLFLOW: URL of a running server; MLFLOW_PYTHON: an interpreter with its
client. Expected values: what optuna says of the study.
"""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from tradewind import Tradewind, write_bars

TRIALS, PYTHON_TRIALS, WORKERS, FOLDS = 24, 6, 4, 3
DISTRIBUTIONS = {
    "ppo.gamma": FloatDistribution(0.9, 0.999),
    "ppo.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    "ppo.clip_range": FloatDistribution(0.1, 0.4, step=0.05),
    "ppo.n_epochs": IntDistribution(1, 4),
    "ppo.policy_kwargs.net_arch.pi": CategoricalDistribution(["[16]", "[16, 16]"]),
}
STYLE = """
name: live
world: {episode_bars: 100}
validation: {folds: 3, min_train_fraction: 0.4, purge_bars: 5}
agent: {steps: 40000, seeds: 2, envs: 4}
ppo: {n_steps: 64, batch_size: 64}
baselines: {random_runs: 10}
verdict: {bootstrap_runs: 200}
search:
  pruner: median
  pruner_startup_trials: 3
  sampler_startup_trials: 5
  heartbeat_seconds: 3
  space:
    ppo.gamma: {type: float, low: 0.9, high: 0.999}
    ppo.learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
    ppo.clip_range: {type: float, low: 0.1, high: 0.4, step: 0.05}
    ppo.n_epochs: {type: int, low: 1, high: 4}
    ppo.policy_kwargs.net_arch.pi: {type: categorical, choices: [[16], [16, 16]]}
"""
QUEUED = {"ppo.gamma": 0.95, "ppo.learning_rate": 1e-3, "ppo.n_epochs": 2}
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)  # an agent that never trades has no score: pruned
DEADLINE_S = 120


def ok(what: str) -> None:
    print(f"ok  {what}", flush=True)


def wait_for(what: str, look, process: subprocess.Popen | None = None):
    """What look() says as soon as it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not in {DEADLINE_S} s"
        assert process is None or process.poll() is None, f"{what}: before, {process.args} ended: {process.communicate()}"
        time.sleep(0.05)
    return found


def begun(name: str, storage: str, process: subprocess.Popen) -> optuna.Study:
    def look():
        try:
            return optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            return None
    return wait_for(f"study {name}", look, process)


def mine(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a worker of tradewind ran it."""
    return "worker" in trial.user_attrs


def running(study: optuna.Study) -> list:
    return [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING and mine(t)]


def worker_of(trial: optuna.trial.FrozenTrial) -> int:
    return int(trial.user_attrs["worker"].split(":")[1])


def halt(pid: int) -> None:
    """Stops every thread of a process, and returns when they stand."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    wait_for(f"process {pid} to stand", lambda: all(
        (task / "stat").read_text().rpartition(")")[2].split()[0] in "TZX" for task in tasks.iterdir()))


def caught(study: optuna.Study, search: subprocess.Popen, count: int, but=()) -> list:
    """So many trials, whose workers stand still in the midst of them: what they have sent may at most report one fold
    more, never end the trial. SIGCONT lets them go on."""
    def early() -> dict:
        return {t.number: t for t in running(study)
                if t.params.keys() == DISTRIBUTIONS.keys() and len(t.intermediate_values) <= FOLDS - 2 and t.number not in but}

    def look():
        seen = list(early().values())[:count]
        if len(seen) < count:
            return None
        for trial in seen:
            halt(worker_of(trial))
        if early().keys() >= {t.number for t in seen}:
            return seen
        for trial in seen:
            os.kill(worker_of(trial), signal.SIGCONT)
        return None
    return wait_for(f"{count} trials under way", look, search)


def objective(study: optuna.Study):
    """As a Python user would write it: one number, worse than any agent. The last one ends behind everything else."""
    done = []

    def call(trial: optuna.Trial) -> float:
        gamma = trial.suggest_float("ppo.gamma", 0.9, 0.999)
        trial.suggest_float("ppo.learning_rate", 1e-4, 1e-2, log=True)
        trial.suggest_float("ppo.clip_range", 0.1, 0.4, step=0.05)
        epochs = trial.suggest_int("ppo.n_epochs", 1, 4)
        trial.suggest_categorical("ppo.policy_kwargs.net_arch.pi", ["[16]", "[16, 16]"])
        trial.set_user_attr("writer", "python")
        for fold in range(FOLDS):
            trial.report(-1000 - gamma - epochs, fold)
            time.sleep(0.1)
        done.append(trial.number)
        if len(done) == PYTHON_TRIALS:
            wait_for("the others' end", lambda: all(t.state.is_finished() or t.number == trial.number
                                                    for t in study.get_trials(deepcopy=False)))
            time.sleep(2.5)
        return -1000 - gamma - epochs
    return call


def check_together(binary: str, work: Path, style: Path, storage: str, mlflow_url: str) -> dict:
    """Four workers of ours and a Python study.optimize; returns what MLflow must have."""
    ours = Tradewind(binary, work / "together", mlflow_url, storage)
    ours.import_bars(work / "bars.csv")
    command = ("optimize", "--config", str(style), "--study", "together", "--trials", str(TRIALS))
    search = ours.start(*command, "--workers", str(WORKERS))
    study = begun("together", storage, search)
    wait_for("a trial of ours", lambda: running(study), search)
    study.enqueue_trial(QUEUED)
    study.optimize(objective(study), n_trials=PYTHON_TRIALS)
    answer = ours.end(search)

    study = optuna.load_study(study_name="together", storage=storage)
    trials = study.get_trials()
    # Python takes trials from the queue, and begins new ones only when it finds that empty.
    assert [t.number for t in trials] == list(range(len(trials))), [t.number for t in trials]
    assert TRIALS + 1 <= len(trials) <= TRIALS + PYTHON_TRIALS, len(trials)
    assert all(t.state in ENDED for t in trials), [(t.number, t.state.name, t.user_attrs) for t in trials]
    theirs = [t for t in trials if t.user_attrs.get("writer") == "python"]
    agents = [t for t in trials if mine(t)]
    assert len(theirs) == PYTHON_TRIALS and len(agents) == len(trials) - PYTHON_TRIALS
    workers = {t.user_attrs["worker"] for t in agents}
    assert 2 <= len(workers) <= WORKERS, workers
    assert any(a.datetime_start < t.datetime_complete and t.datetime_start < a.datetime_complete
               for a in agents for t in theirs), "one after the other"
    queued = [t for t in trials if t.system_attrs.get("fixed_params") == QUEUED]
    assert len(queued) == 1 and QUEUED.items() <= queued[0].params.items()
    for trial in trials:
        where = (trial.number, trial.state.name)
        assert trial.distributions == DISTRIBUTIONS, (where, trial.distributions)
        assert set(trial.intermediate_values) == set(range(len(trial.intermediate_values))), where
        if trial.state == TrialState.COMPLETE:
            assert len(trial.intermediate_values) == FOLDS, where
            assert trial.value == trial.intermediate_values[FOLDS - 1], (where, trial.value, trial.intermediate_values)
        elif len(trial.intermediate_values) == FOLDS:
            assert "reason" in trial.user_attrs, where
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    assert answer["trials"] == {"complete": len(complete), "pruned": len(trials) - len(complete), "failed": 0,
                                "running": 0, "waiting": 0}, answer["trials"]
    assert answer["winner"]["trial"] == answer["best"][0]["number"] == study.best_trial.number
    assert answer["best_value"] == study.best_value and mine(study.best_trial)
    # Python's trials and those without a score were tried too.
    assert answer["winner"]["training"]["trials"] == len(trials), answer["winner"]["training"]["trials"]
    assert answer["winner"]["training"]["holdout_looks"] == 1
    overfitting = answer["overfitting"]  # Python's trials have no daily returns
    assert overfitting["trials"] == sum(map(mine, complete)) and 0 <= overfitting["pbo"] <= 1, overfitting
    ok(f"{len(agents)} trials by {len(workers)} workers of ours and {len(theirs)} by Python in one study: "
       f"{len(complete)} complete, {len(trials) - len(complete)} pruned, every field as optuna has it")

    # Fewer than ten good trials leave PED-ANOVA nothing to compare, in both.
    shares = optuna.importance.get_param_importances(study)
    assert shares.keys() == DISTRIBUTIONS.keys() and abs(sum(shares.values()) - 1) < 1e-9, shares
    for name, share in answer["importances"]["ped_anova"].items():
        assert math.isclose(share, shares[name], abs_tol=1e-6), (name, share, shares)
    assert optuna.visualization.plot_intermediate_values(study).data
    again = ours.run(*command, "--workers", "1")
    assert again["winner"]["judged_before"] and again["winner"]["trial"] == answer["winner"]["trial"]
    assert len(study.get_trials()) == len(trials)
    ok("importances as optuna's; the same command again changes nothing")
    return {"study": "together", "winner": answer["winner"], "returns": [t.number for t in complete if mine(t)],
            "trials": [{"number": t.number, "params": t.params, "user_attrs": t.user_attrs, "attempts": 1,
                        "reports": t.intermediate_values} for t in agents]}


def stop(ours: Tradewind, search: subprocess.Popen, seen: list) -> None:
    """Ctrl-C: the terminal sends it to everybody in the foreground; workers are in the background, and are told by the
    command. Those of `seen` stand until they have been."""
    def told(trial) -> bool:
        status = Path(f"/proc/{worker_of(trial)}/status").read_text()
        return int(re.search(r"ShdPnd:\s*(\w+)", status)[1], 16) != 0
    os.killpg(search.pid, signal.SIGINT)
    wait_for("the workers to be told", lambda: all(map(told, seen)), search)
    for trial in seen:
        os.kill(worker_of(trial), signal.SIGCONT)
    ours.end(search, code=130, timeout=DEADLINE_S)


def check_stopped(binary: str, work: Path, style: Path, storage: str, mlflow_url: str) -> dict:
    """Ctrl-C, a worker killed, the command killed: one study all along, and no trial lost."""
    ours = Tradewind(binary, work / "stopped", mlflow_url, storage)
    ours.import_bars(work / "bars.csv")
    command = ("optimize", "--config", str(style), "--study", "stopped", "--pruner", "none", "--set", "agent.steps=400000",
               "--workers", "2", "--no-holdout")
    search = ours.start(*command, "--trials", "7", session=True)
    study = begun("stopped", storage, search)
    states = lambda: [t.state for t in study.get_trials(deepcopy=False)]
    wait_for("a finished trial", lambda: any(s in ENDED for s in states()), search)
    seen = caught(study, search, 2)
    stop(ours, search, seen)
    trials = study.get_trials()
    assert len(trials) == 7 and TrialState.RUNNING not in states(), states()
    back = {t.number: t.params for t in trials if t.state == TrialState.WAITING and t.params}
    assert back == {t.number: t.params for t in seen}, (back, states())
    finished = {t.number: t for t in trials if t.state.is_finished()}
    ok(f"Ctrl-C after {len(finished)} trials: {len(back)} are back in the queue with their parameters")

    # Goes on; one worker is killed in its trial.
    search = ours.start(*command, "--trials", "7", session=True)
    victim, = caught(study, search, 1, but=back)
    os.kill(worker_of(victim), signal.SIGKILL)
    answer = ours.end(search)
    trials = study.get_trials()
    assert [t.number for t in trials] == list(range(8)), [t.number for t in trials]
    dead = [t.number for t in trials if t.state == TrialState.FAIL]
    again = [t for t in trials if t.system_attrs.get("failed_trial") == victim.number]
    assert dead == [victim.number] and len(again) == 1, [(t.number, t.state.name) for t in trials]
    assert again[0].state in ENDED and again[0].params == victim.params
    assert again[0].system_attrs["retry_history"] == [victim.number]
    assert all(t.state in ENDED for t in trials if t.number != victim.number)
    assert all(trials[n].params == params for n, params in back.items())
    assert all(trials[n].datetime_complete == t.datetime_complete and trials[n].values == t.values
               for n, t in finished.items())
    assert answer["trials"]["failed"] == 1 and answer["trials"]["complete"] + answer["trials"]["pruned"] == 7
    ok(f"continued: 7 trials; the one of a killed worker, {victim.number}, was repeated as {again[0].number}")

    # More are wanted; the command itself is killed, its workers end by themselves.
    search = ours.start(*command, "--trials", "10", session=True)
    # They must run again when it dies: standing without a parent they would be sent SIGHUP by the kernel.
    for trial in caught(study, search, 2):
        os.kill(worker_of(trial), signal.SIGCONT)
    search.kill()
    search.communicate()
    wait_for("the workers' end", lambda: TrialState.RUNNING not in states())
    assert len(states()) == 11, states()
    answer = ours.run(*command, "--trials", "10")
    trials = study.get_trials()
    assert [t.number for t in trials] == list(range(11)) and answer["trials"]["failed"] == 1
    assert sum(t.state in ENDED for t in trials) == 10, [(t.number, t.state.name) for t in trials]
    ok("the command killed: its workers put their trials back, and the next start ends them")
    return {"study": "stopped", "winner": None, "killed": victim.number,
            "returns": [t.number for t in trials if t.state == TrialState.COMPLETE],
            "trials": [{"number": t.number, "params": t.params, "user_attrs": t.user_attrs,
                        "reports": t.intermediate_values} for t in trials]}


def main(binary: str, work: Path, storage: str, mlflow_url: str, mlflow_python: str) -> None:
    write_bars(work / "bars.csv", 20)
    style = work / "style.yaml"
    style.write_text(STYLE)
    optuna.storages.RDBStorage(storage)  # the tables: two at once that make them disturb each other
    for check in (check_together, check_stopped):
        expected = work / f"{check.__name__}.json"
        expected.write_text(json.dumps(check(binary, work, style, storage, mlflow_url)))
        subprocess.run([mlflow_python, Path(__file__).parent / "check_runs.py", mlflow_url, expected], check=True)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:6])
