"""Times the storage of studies: Optuna's RDBStorage and ours, same databases, same machine, in turns.

    compare.py DRIVER ROUNDS LONG_TRIALS SQLITE_THEIRS SQLITE_OURS POSTGRES_THEIRS POSTGRES_OURS

The objective is a sum of squares over 5 float parameters, sampled at random or by each side's TPE with its defaults.
Prints a table of milliseconds a trial (medians over the rounds) with ratios, then the cost of a trial of ours by the
length of the study, and what a trial of Optuna costs in that same long study. ROUNDS 0: one round of a few trials.
"""
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time

import optuna

DRIVER = sys.argv[1]
ROUNDS, LONG_TRIALS = int(sys.argv[2]), int(sys.argv[3])
URLS = {"SQLite": (sys.argv[4], sys.argv[5]), "PostgreSQL": (sys.argv[6], sys.argv[7])}
THEIR_TRIALS, OUR_TRIALS = (60, 1000) if ROUNDS else (8, 80)
WORKERS = 4


def objective(trial):
    return sum(trial.suggest_float(f"p{i:02}", -1, 1) ** 2 for i in range(5))


def sampler(name, seed):
    return optuna.samplers.RandomSampler(seed=seed) if name == "random" else optuna.samplers.TPESampler(seed=seed)


def their_worker(url, name, kind, trials, seed):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(
        url, engine_kwargs={"connect_args": {"timeout": 120}} if url.startswith("sqlite") else {})
    study = optuna.load_study(study_name=name, storage=storage, sampler=sampler(kind, seed))
    study.optimize(objective, n_trials=1)  # connections and first statements
    begin = time.monotonic()
    study.optimize(objective, n_trials=trials)
    return time.monotonic() - begin


def theirs(url, kind, workers, tag):
    name = f"bench {kind} {workers} {tag}"
    optuna.create_study(study_name=name, storage=url)
    each = THEIR_TRIALS // workers
    if workers == 1:
        return 1e3 * their_worker(url, name, kind, each, tag) / each
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        seconds = pool.starmap(their_worker, [(url, name, kind, each, 100 * tag + k) for k in range(workers)])
    return 1e3 * max(seconds) / (each * workers)


def bench_words(url, name, kind, trials, seed, every, sync_ms=50):
    return [DRIVER, "bench", url, name, f"trials={trials}", f"sampler={kind}", f"seed={seed}", f"every={every}",
            f"sync_ms={sync_ms}"]


def ours(url, kind, workers, tag, sync_ms=50):
    name = f"bench {kind} {workers} {tag} {sync_ms}"
    subprocess.run([DRIVER, "create", url, name], check=True)
    each = OUR_TRIALS // workers
    begin = time.monotonic()
    running = [subprocess.Popen(bench_words(url, name, kind, each, 100 * tag + k, each, sync_ms),
                                stdout=subprocess.DEVNULL) for k in range(workers)]
    codes = [process.wait(timeout=600) for process in running]
    assert codes == [0] * workers, codes
    return 1e3 * (time.monotonic() - begin) / (each * workers)


def fsync_ms(folder):
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        begin = time.monotonic()
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return 1e3 * (time.monotonic() - begin) / 50


def compare():
    print("| database | sampler | workers | Optuna 5, ms a trial | here, ms a trial | ratio | the same when each result "
          "waits for the disk | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for database, (their_url, our_url) in URLS.items():
        for kind, workers in (("random", 1), ("tpe", 1), ("random", WORKERS)):
            a, b, c = [], [], []
            for tag in range(max(ROUNDS, 1)):
                a.append(theirs(their_url, kind, workers, tag))
                b.append(ours(our_url, kind, workers, tag))
                c.append(ours(our_url, kind, workers, tag, sync_ms=0))
            slow, fast, synced = map(statistics.median, (a, b, c))
            print(f"| {database} | {kind} | {workers} | {slow:.1f} | {fast:.2f} | {slow / fast:.0f} | {synced:.2f} | "
                  f"{slow / synced:.0f} |", flush=True)


def long_study():
    print(f"\nOne study of {LONG_TRIALS:,} trials, random sampler, one worker, ms a trial:")
    for database, (_, url) in URLS.items():
        subprocess.run([DRIVER, "create", url, "long"], check=True)
        every = LONG_TRIALS // 10
        done = subprocess.run(bench_words(url, "long", "random", LONG_TRIALS, 1, every), check=True,
                              capture_output=True, text=True, timeout=3600)
        costs = [1e3 * float(line.split()[1]) / every for line in done.stdout.splitlines()]
        print(f"{database}: " + " ".join(f"{cost:.2f}" for cost in costs), flush=True)
        begin = time.monotonic()
        subprocess.run(bench_words(url, "long", "random", 1, 2, 1), check=True, stdout=subprocess.DEVNULL)
        print(f"{database}: a new worker of ours has read it all and finished a trial after "
              f"{time.monotonic() - begin:.2f} s", flush=True)
        begin = time.monotonic()
        study = optuna.load_study(study_name="long", storage=url, sampler=sampler("random", 1))
        study.optimize(objective, n_trials=1)
        first = time.monotonic() - begin
        begin = time.monotonic()
        study.optimize(objective, n_trials=10)
        print(f"{database}: Optuna in the same study: first trial after {first:.2f} s, then "
              f"{1e2 * (time.monotonic() - begin):.0f} ms a trial", flush=True)


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = os.path.dirname(URLS["SQLite"][0].removeprefix("sqlite:///"))
    print(f"optuna {optuna.__version__}; one fdatasync of 4 kB takes {fsync_ms(folder):.1f} ms; "
          f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n", flush=True)
    compare()
    long_study()


if __name__ == "__main__":
    main()
