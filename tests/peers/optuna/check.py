"""Real optuna and our program work on one study: what one writes the other reads, continues, plots and recovers.

    check.py DRIVER WORK SQLITE_REFERENCE SQLITE_URL
    TW_PG_RESTART=COMMAND check.py DRIVER WORK POSTGRES_REFERENCE POSTGRES_URL

DRIVER is tw_hpo_driver. Each URL names an empty database; the first becomes one of Optuna's by Optuna alone, the other
is made by us. Prints a line a check; exit code 1 when one fails.
"""
import datetime
import json
import math
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
import warnings

import optuna
import sqlalchemy

DRIVER, WORK, REFERENCE, URL = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
POSTGRES = URL.startswith("postgresql")
# Python gives up on a lock of SQLite after 5 s by default, and waits 100 ms between two looks at it.
ENGINE = {} if POSTGRES else {"connect_args": {"timeout": 60}}
DEADLINE_S = 120


def storage(**options):
    return optuna.storages.RDBStorage(URL, engine_kwargs=dict(ENGINE), **options)


def wait_until(what, look):
    deadline = time.monotonic() + DEADLINE_S
    while not look():
        assert time.monotonic() < deadline, f"{what}: not in {DEADLINE_S} s"
        time.sleep(0.05)


def start(*words):
    return subprocess.Popen([DRIVER, words[0], URL, *map(str, words[1:])], stdout=subprocess.PIPE, text=True)


def run(*words):
    process = start(*words)
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, f"driver {words}: exit code {process.returncode}"
    return out


def show(name):
    return [json.loads(line) for line in run("show", name).splitlines()]


def same_number(a, b):
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def same_json(a, b):
    """Equality of what JSON holds, with NaN equal to itself."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def micros(moment):
    """Everything runs under TZ=UTC, so that naive local times are UTC."""
    if moment is None:
        return None
    return round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1e6)


def compare(name):
    """Every field of every trial, as Python reads it and as our program does."""
    study = optuna.load_study(study_name=name, storage=storage())
    ours = show(name)
    trials = study.get_trials()
    assert [t.number for t in trials] == list(range(len(trials))), "numbers are not 0, 1, 2, ..."
    assert len(ours) == len(trials), f"{len(ours)} trials here, {len(trials)} in Python"
    for mine, theirs in zip(ours, trials):
        where = f"trial {theirs.number}"
        assert mine["number"] == theirs.number, where
        assert mine["state"] == theirs.state.name, where
        assert mine["values"] == (theirs.values or []), (where, mine["values"], theirs.values)
        assert [p[0] for p in mine["params"]] == list(theirs.params), where
        for key, value, distribution in mine["params"]:
            assert same_number(value, theirs.params[key]) and type(value) is type(theirs.params[key]), (where, key)
            expected = theirs.distributions[key]
            assert optuna.distributions.json_to_distribution(distribution) == expected, (where, key)
            assert distribution == optuna.distributions.distribution_to_json(expected), (where, distribution)
        reports = dict(map(tuple, mine["reports"]))
        assert reports.keys() == theirs.intermediate_values.keys(), where
        assert all(same_number(float(reports[k]), v) for k, v in theirs.intermediate_values.items()), where
        assert same_json(mine["user"], theirs.user_attrs), (where, mine["user"], theirs.user_attrs)
        assert same_json(mine["system"], theirs.system_attrs), (where, mine["system"], theirs.system_attrs)
        assert mine["start"] == micros(theirs.datetime_start), where
        assert mine["complete"] == micros(theirs.datetime_complete), where
    return study


def curve(trial):
    """The objective of driver.cpp."""
    x = trial.suggest_float("x", -5, 5)
    n = trial.suggest_int("n", 1, 64, log=True)
    width = trial.suggest_float("width", 0.1, 0.9, step=0.1)
    kind = trial.suggest_categorical("kind", ["a", "b", 3, None, True])
    trial.set_user_attr("writer", "python")
    value = (x - 1) ** 2 + abs(math.log2(n) - 2) + (0 if kind == "b" else 1) + width / 10
    for step in range(3):
        trial.report(value + 3 - step, step)
    if trial.number % 7 == 3:
        raise optuna.TrialPruned
    if trial.number % 11 == 5:
        raise RuntimeError("as in driver.cpp")
    return value


def schema(url):
    """All that the database says of its tables, in one comparable form."""
    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    out = {}
    for table in sorted(inspector.get_table_names()):
        columns = [(c["name"], str(c["type"]), c["nullable"], c["default"], getattr(c["type"], "enums", None))
                   for c in inspector.get_columns(table)]
        out[table] = {
            "columns": columns,
            "primary": inspector.get_pk_constraint(table),
            "unique": sorted((u["name"] or "", tuple(u["column_names"])) for u in
                             inspector.get_unique_constraints(table)),
            "foreign": sorted(repr(sorted(f.items())) for f in inspector.get_foreign_keys(table)),
            "checks": sorted(repr(sorted(c.items())) for c in inspector.get_check_constraints(table)),
            "indexes": sorted(repr((i["name"], i["column_names"], i["unique"])) for i in
                              inspector.get_indexes(table) if not i["name"].startswith("tradewind_")),
        }
    if not POSTGRES:
        with engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
            for name, sql in rows:
                if not name.startswith("tradewind_"):
                    out["sql of " + name] = "".join(sql.split())
    with engine.connect() as connection:
        out["revision"] = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
        out["version"] = connection.execute(sqlalchemy.text("SELECT schema_version FROM version_info")).scalar()
    engine.dispose()
    return out


def check_schema():
    if POSTGRES:
        # A Python program that makes its tables at the same moment has made the first type, and has not committed.
        engine = sqlalchemy.create_engine(URL)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TYPE studydirection AS ENUM ('NOT_SET', 'MINIMIZE', 'MAXIMIZE')"))
            ours = start("create", "schema")
            time.sleep(1)
            assert ours.poll() is None, "ours did not wait"
        assert ours.wait(timeout=DEADLINE_S) == 0
        engine.dispose()
    else:
        run("create", "schema")
    optuna.storages.RDBStorage(REFERENCE)
    assert optuna.storages.RDBStorage(URL).get_current_version() == optuna.storages.RDBStorage(URL).get_head_version()
    ours, theirs = schema(URL), schema(REFERENCE)
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    for table, content in theirs.items():
        assert ours[table] == content, f"{table}:\n{ours[table]}\n{content}"
    if POSTGRES:
        dumps = [subprocess.run(["pg_dump", "--schema-only", "--no-owner", url.replace("+psycopg2", "")], check=True,
                                capture_output=True, text=True).stdout.splitlines() for url in (URL, REFERENCE)]
        lines = [[line for line in dump if line.strip() and not line.startswith("--") and "tradewind_" not in line and
                  "restrict" not in line] for dump in dumps]
        assert lines[0] == lines[1], "pg_dump differs"


def study_corner(name):
    """A point that nothing in the study dominates."""
    values = [t.values for t in optuna.load_study(study_name=name, storage=storage()).best_trials]
    return [min(v[0] for v in values) - 1, min(v[1] for v in values)]


def check_ours_first():
    run("create", "ours")
    run("enqueue", "ours", "x=1.25")
    run("run", "ours", "trials=40", "seed=7")
    study = compare("ours")
    assert study.trials[0].params["x"] == 1.25
    assert study.directions == [optuna.study.StudyDirection.MINIMIZE]
    states = {t.state for t in study.trials}
    assert states == {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL}
    assert all(v <= 0 for v in study.best_trial.system_attrs["constraints"])
    study.enqueue_trial({"x": 2.0, "kind": "b"})
    study.optimize(curve, n_trials=15, catch=(RuntimeError,))
    assert study.trials[40].params["x"] == 2.0 and study.trials[40].user_attrs["writer"] == "python"
    study = compare("ours")
    assert len(study.trials) == 55
    for name in ("optimization_history", "param_importances", "parallel_coordinate", "slice", "contour", "rank", "edf",
                 "timeline", "intermediate_values"):
        figure = getattr(optuna.visualization, "plot_" + name)(study)
        assert len(figure.data) > 0, f"the plot {name} is empty"
        figure.to_json()
    run("create", "front", "directions=minimize,maximize")
    run("run", "front", "trials=20")
    # Equal points, and one that another beats in one objective only.
    point = optuna.create_trial(values=study_corner("front"))
    study = optuna.load_study(study_name="front", storage=storage())
    for _ in range(2):
        study.add_trial(point)
    study.add_trial(optuna.create_trial(values=[point.values[0], point.values[1] - 1]))
    study = compare("front")
    best = [t.number for t in study.best_trials]
    assert sorted(map(int, run("best", "front").split())) == sorted(best) and {20, 21} <= set(best), best
    assert optuna.visualization.plot_pareto_front(study).to_json()


def check_python_first():
    name = "it's Python's \u00e9\u4e2d"
    study = optuna.create_study(study_name=name, storage=storage(), directions=["minimize"])
    study.set_user_attr("text", "\u00e9\n\"quoted\"")
    study.set_user_attr("nan", float("nan"))
    study.enqueue_trial({"x": -1.5, "n": 8}, user_attrs={"queued": [1, None, {"a": float("inf")}]})
    study.optimize(curve, n_trials=25, catch=(RuntimeError,))
    float_inf = optuna.distributions.FloatDistribution(-5, 5)
    for value in (float("inf"), float("-inf"), -0.0, 1e-310, 1.7976931348623157e308):
        study.add_trial(optuna.create_trial(params={"x": 0.1 + 0.2}, distributions={"x": float_inf}, value=value,
                                            intermediate_values={0: float("nan"), 5: float("inf"),
                                                                 2**31 - 1: float("-inf")}))
    study.ask()
    compare(name)
    run("run", name, "trials=12", "sampler=tpe")
    study = compare(name)
    assert sum(t.user_attrs.get("writer") == "tradewind" for t in study.trials) == 12
    # Distributions as Optuna 2 wrote them.
    old = {"log": '{"name": "LogUniformDistribution", "attributes": {"low": 0.001, "high": 10.0}}',
           "flat": '{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}',
           "steps": '{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}',
           "int": '{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}',
           "intlog": '{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 100, "step": 1}}'}
    trial = study.ask()
    engine = sqlalchemy.create_engine(URL)
    with engine.begin() as connection:
        for param, text in old.items():
            connection.execute(sqlalchemy.text(
                "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES "
                "(:trial, :name, :value, :text)"), {"trial": trial._trial_id, "name": param, "text": text,
                                                    "value": 1.0})
    engine.dispose()
    mine = {p[0]: p[1:] for p in show(name)[trial.number]["params"]}
    theirs = study.trials[trial.number]
    for param in old:
        assert mine[param][0] == theirs.params[param], param
        modern = optuna.distributions._convert_old_distribution_to_new_distribution(theirs.distributions[param])
        assert optuna.distributions.json_to_distribution(mine[param][1]) == modern, param


def check_together():
    """A Python study.optimize and four of our processes on one study at the same time."""
    name = "together"
    optuna.create_study(study_name=name, storage=storage())
    study, ours = optuna.load_study(study_name=name, storage=storage()), []

    def beside(study, trial):
        """Ours begin behind Python's first trial, and are at work before its last one."""
        if not ours:
            ours.extend(start("run", name, "trials=40", f"seed={seed}", "sleep_ms=20") for seed in range(4))
        if trial.number >= 30:
            wait_until("a trial of ours", lambda: any(t.user_attrs.get("writer") == "tradewind" for t in study.trials))
    study.optimize(curve, n_trials=40, catch=(RuntimeError,), callbacks=[beside])
    for process in ours:
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0 and out.strip() == "40"
    study = compare(name)
    writers = [t.user_attrs.get("writer") for t in study.trials]
    assert len(writers) == 200 and writers.count("python") == 40 and writers.count("tradewind") == 160
    assert all(t.state.is_finished() for t in study.trials)
    # They did work at the same time.
    first, last = writers.index("python"), 199 - writers[::-1].index("python")
    assert writers[first:last].count("tradewind") > 0


def check_twenty():
    """Twenty processes of ours on this machine."""
    run("create", "twenty")
    for _ in range(10):
        run("enqueue", "twenty", "x=0.5")
    workers = [start("run", "twenty", "trials=10", f"seed={seed}", "sampler=random", "heartbeat=5") for seed in
               range(20)]
    for worker in workers:
        worker.communicate(timeout=DEADLINE_S)
        assert worker.returncode == 0
    study = compare("twenty")
    assert len(study.trials) == 200 and all(t.state.is_finished() for t in study.trials)
    assert sum(t.system_attrs.get("fixed_params") == {"x": 0.5} for t in study.trials) == 10


def kill_one(name, *more):
    """Starts a worker of ours that hangs in its trial, and kills it there. Returns the trial's number."""
    worker = start("run", name, "trials=1", "hang=1", "heartbeat=1", "grace=2", *more)
    number = int(worker.stdout.readline().split()[1])
    time.sleep(1.5)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate(timeout=DEADLINE_S)
    return number


def check_retry(name, number, writer):
    study = compare(name)
    dead = study.trials[number]
    assert dead.state == optuna.trial.TrialState.FAIL and dead.datetime_complete is not None
    again = [t for t in study.trials if t.system_attrs.get("failed_trial") == number]
    assert len(again) == 1, f"{len(again)} retries"
    again = again[0]
    assert again.state.is_finished() and again.system_attrs["retry_history"] == [number]
    assert again.params == dead.params and again.user_attrs["writer"] == writer
    return study


def retrying_storage():
    return storage(heartbeat_interval=1, grace_period=2,
                   heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=3))


PYTHON_HANGS = """
import sys, time, optuna
storage = optuna.storages.RDBStorage(sys.argv[1], heartbeat_interval=1, grace_period=2)
def objective(trial):
    trial.suggest_float("x", -5, 5)
    trial.suggest_int("n", 1, 64, log=True)
    trial.suggest_float("width", 0.1, 0.9, step=0.1)
    trial.suggest_categorical("kind", ["a", "b", 3, None, True])
    print("hanging", trial.number, flush=True)
    time.sleep(300)
optuna.load_study(study_name=sys.argv[2], storage=storage).optimize(objective, n_trials=1)
"""


def check_killed():
    run("create", "killed")
    # Ours dies; while it lives nobody takes its trial.
    number = kill_one("killed")
    run("run", "killed", "trials=1", "heartbeat=1", "grace=60")
    assert show("killed")[number]["state"] == "RUNNING"
    time.sleep(3.5)
    run("run", "killed", "trials=2", "heartbeat=1", "grace=2", "max_retry=3")
    check_retry("killed", number, "tradewind")
    # Ours dies, Python recovers.
    number = kill_one("killed")
    time.sleep(3.5)
    study = optuna.load_study(study_name="killed", storage=retrying_storage())
    study.optimize(curve, n_trials=2, catch=(RuntimeError,))
    check_retry("killed", number, "python")
    # Python dies, ours recovers.
    worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", PYTHON_HANGS, URL, "killed"],
                              stdout=subprocess.PIPE, text=True)
    number = int(worker.stdout.readline().split()[1])
    time.sleep(1.5)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate(timeout=DEADLINE_S)
    time.sleep(3.5)
    run("run", "killed", "trials=2", "heartbeat=1", "grace=2", "max_retry=3")
    check_retry("killed", number, "tradewind")
    # A chain: the retry dies too, and max_retry ends it.
    first = kill_one("killed")
    time.sleep(3.5)
    second = kill_one("killed", "max_retry=1")
    time.sleep(3.5)
    run("run", "killed", "trials=1", "heartbeat=1", "grace=2", "max_retry=1")
    study = compare("killed")
    assert study.trials[second].system_attrs["failed_trial"] == first
    assert study.trials[second].state == optuna.trial.TrialState.FAIL
    assert not [t for t in study.trials if len(t.system_attrs.get("retry_history", [])) > 1]


def check_restart():
    """The server is killed and started again under four workers of ours: no result is lost, no number doubled."""
    run("create", "restart")
    workers = [start("run", "restart", "trials=50", f"seed={seed}", "sampler=random", "sleep_ms=80", "heartbeat=1",
                     "grace=60") for seed in range(4)]
    study = optuna.load_study(study_name="restart", storage=storage())
    wait_until("the first trials", lambda: sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)) >= 8)
    subprocess.run(shlex.split(os.environ["TW_PG_RESTART"]), check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=DEADLINE_S)
    for worker in workers:
        out, _ = worker.communicate(timeout=DEADLINE_S)
        assert worker.returncode == 0 and out.strip() == "50"
    trials = compare("restart").trials
    finished = sum(t.state.is_finished() for t in trials)
    # A start whose answer was lost with the server is made anew; the trial it left behind has no heartbeat for long.
    assert finished == 200 and len(trials) - finished <= len(workers), (finished, len(trials))


def check_delete():
    before = set(optuna.get_all_study_names(storage()))
    run("delete", "killed")
    run("delete", "together")
    assert set(optuna.get_all_study_names(storage())) == before - {"killed", "together"}
    engine = sqlalchemy.create_engine(URL)
    with engine.connect() as connection:
        for table in ("trial_params", "trial_values", "trial_heartbeats", "trial_user_attributes",
                      "trial_system_attributes", "trial_intermediate_values"):
            orphans = connection.execute(sqlalchemy.text(
                f"SELECT count(*) FROM {table} WHERE trial_id NOT IN (SELECT trial_id FROM trials)")).scalar()
            assert orphans == 0, table
    engine.dispose()
    optuna.delete_study(study_name="twenty", storage=storage())
    compare("ours")


def main():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.simplefilter("ignore")
    place = "PostgreSQL" if POSTGRES else "SQLite"
    checks = [check_schema, check_ours_first, check_python_first, check_together, check_twenty, check_killed]
    if POSTGRES:
        checks.append(check_restart)
    for check in [*checks, check_delete]:
        begin = time.monotonic()
        check()
        print(f"{place}: {check.__name__[6:]} ok ({time.monotonic() - begin:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
