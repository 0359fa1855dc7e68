"""Speed-up of a search by its number of workers: speedup.py TRADEWIND WORK [ROUNDS] [--quick]. See speedup.sh.

A trial trains two small agents on each of two folds; gamma and learning rate differ from trial to trial and cost nothing,
so that all are about as long. The sampler is random: what it draws does not depend on who comes first. Two clocks: of the
whole command, and of the study from its first trial's start to its last one's end, without what every command begins with.
"""

import datetime as dt
import os
import statistics
import sys
import time
from pathlib import Path

from tradewind import Tradewind, write_bars

STYLE = """
name: speedup
world: {{episode_bars: 100}}
validation: {{folds: 2, min_train_fraction: 0.5, purge_bars: 5}}
agent: {{steps: {steps}, seeds: 2, envs: 4}}
ppo: {{n_steps: 64, batch_size: 64, n_epochs: 4}}
search:
  sampler: random
  pruner: none
  space:
    ppo.gamma: {{type: float, low: 0.9, high: 0.999}}
    ppo.learning_rate: {{type: float, low: 1.0e-4, high: 1.0e-3, log: true}}
"""


def seconds_of(trials: list) -> float:
    moment = dt.datetime.fromisoformat
    begin = min(moment(t["start"].replace("Z", "+00:00")) for t in trials)
    end = max(moment(t["complete"].replace("Z", "+00:00")) for t in trials)
    return (end - begin).total_seconds()


def search(ours: Tradewind, style: Path, workers: int, tag: int, trials: int):
    """Seconds of the command, seconds of the study, and what each trial came to."""
    study = f"speedup {workers} {tag}"
    begin = time.monotonic()
    ours.run("optimize", "--config", str(style), "--study", study, "--trials", str(trials), "--workers", str(workers),
             "--threads", "1", "--no-holdout")
    whole = time.monotonic() - begin
    every = ours.run("study", "export", study, "--format", "json")["all"]
    assert len(every) == trials, f"{len(every)} trials of {trials}"
    return whole, seconds_of(every), [(t["state"], t["params"], t["values"]) for t in every]


def main(binary: str, work: Path, *words: str) -> None:
    quick = "--quick" in words
    rounds = 1 if quick else int(next(iter(w for w in words if w.isdigit()), 3))
    cores = len(os.sched_getaffinity(0))
    counts = sorted({n for n in (1 << k for k in range(12)) if n <= cores} | {cores, min(2, cores)})
    trials = 4 if quick else max(16, 8 * cores)
    style = work / "style.yaml"
    style.write_text(STYLE.format(steps=8_000 if quick else 100_000))
    write_bars(work / "bars.csv", 13)
    ours = Tradewind(binary, work / "store")
    ours.import_bars(work / "bars.csv")
    print(f"{trials} trials, {cores} cores, load {os.getloadavg()[0]:.1f} before; medians of {rounds} rounds\n")
    wholes, spans, values = {}, {}, None
    for tag in range(rounds):
        for workers in counts:
            whole, span, found = search(ours, style, workers, tag, trials)
            wholes.setdefault(workers, []).append(whole)
            spans.setdefault(workers, []).append(span)
            assert values is None or found == values, f"{workers} workers found other values"
            values = found
    print("| workers | trials/s | speed-up | trials/s of the whole command | speed-up |")
    print("|---|---|---|---|---|")
    whole_1, span_1 = statistics.median(wholes[1]), statistics.median(spans[1])
    for workers in counts:
        whole, span = statistics.median(wholes[workers]), statistics.median(spans[workers])
        print(f"| {workers} | {trials / span:.2f} | {span_1 / span:.2f} | {trials / whole:.2f} | {whole_1 / whole:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
