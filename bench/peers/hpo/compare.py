"""Runs the comparisons of run.sh and prints Markdown tables.

    compare.py HPO_BENCH WORK [time|quality|all] [--long|--quick]

Times are medians of three runs in turns (one run where it takes minutes), processor seconds where the program tells
them. Quality: one-sided Mann-Whitney tests that Tradewind's regrets are larger, Holm-corrected over all cells of a
sampler at 5%; "worse" would be printed where one is significant. --quick: few trials, seeds and functions, to see that
all of it runs.
"""
import json
import pathlib
import statistics
import subprocess
import sys

from scipy.stats import mannwhitneyu

HERE = pathlib.Path(__file__).parent
BUDGETS = (30, 100, 300)
SEEDS = 30
LEVEL = 0.05
SAMPLERS = ("tpe", "tpe_univariate", "cmaes")
# sampler, parameters, trials, objectives, who can do it in reasonable time
TIMES = [("tpe", 10, 1000, 1, ("optuna", "rustuna")), ("tpe", 40, 1000, 1, ("optuna", "rustuna")),
         ("tpe", 10, 1000, 2, ("rustuna",)), ("cmaes", 40, 10000, 1, ("rustuna",)),
         ("random", 10, 1000, 1, ("optuna", "rustuna"))]
LONG_TIMES = [("tpe", 10, 5000, 1, ("rustuna",)), ("tpe", 10, 10000, 1, ("rustuna",)), ("tpe", 40, 10000, 1, ("rustuna",))]
QUICK_TIMES = [("tpe", 10, 60, 1, ("optuna", "rustuna")), ("tpe", 10, 60, 2, ("rustuna",)),
               ("cmaes", 10, 200, 1, ("rustuna",))]
QUICK_FUNCTIONS = ("sphere", "mixed")
QUICK_SEEDS = 2


def lines(command):
    run = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def timed(bench, who, case):
    sampler, parameters, trials, objectives = case
    if who == "tradewind":
        [result] = lines([bench, "time", sampler, parameters, trials, objectives])
    else:
        [result] = lines([sys.executable, HERE / "time_peer.py", who, sampler, parameters, trials, objectives])
    return result.get("processor_seconds", result["seconds"])


def compare_times(bench, cases, turns):
    print("| sampler | parameters | trials | objectives | Optuna 5.0.0 | Rustuna 0.2.0 | Tradewind | to Optuna | to Rustuna |")
    print("|---|---|---|---|---|---|---|---|---|")
    for *case, peers in cases:
        runs = {}
        for turn in range(turns):
            for who in ("tradewind", *peers):
                slow = turn > 0 and runs[who][0] > 5
                if not slow:
                    runs.setdefault(who, []).append(timed(bench, who, case))
        seconds = {who: statistics.median(values) for who, values in runs.items()}
        ours = seconds["tradewind"]
        cells = [f"{seconds[who]:.2f} s" if who in seconds else "" for who in ("optuna", "rustuna")]
        ratios = [f"{seconds[who] / ours:.1f}" if who in seconds else "" for who in ("optuna", "rustuna")]
        print(f"| {case[0]} | {case[1]} | {case[2]:,} | {case[3]} | {cells[0]} | {cells[1]} | {ours:.3f} s | {ratios[0]} | "
              f"{ratios[1]} |", flush=True)


def holm(p_values):
    """Which hypotheses fall, by Holm's step-down at LEVEL."""
    order = sorted(p_values, key=p_values.get)
    fallen = set()
    for i, key in enumerate(order):
        if p_values[key] * (len(order) - i) > LEVEL:
            break
        fallen.add(key)
    return fallen


def regrets(bench, work, sampler, seeds, functions):
    """{(who, function): [best of each budget] of each seed}; Optuna's are kept in `work`, they take long."""
    kept = work / "_".join(["optuna", sampler, str(seeds), *functions, "seeds.jsonl"])
    if not kept.exists():
        command = [sys.executable, HERE / "quality.py", sampler, "0", str(seeds), *functions]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        kept.write_text(run.stdout)
    results = [json.loads(line) for line in kept.read_text().splitlines()]
    results += lines([bench, "quality", sampler, 0, seeds, *functions])
    table = {}
    for r in results:
        table.setdefault((r["who"], r["function"]), []).append(r["best"])
    return table


def compare_quality(bench, work, seeds, functions):
    print("| sampler | function | " + " | ".join(f"{b} trials" for b in BUDGETS) + " |")
    print("|---|---|" + "---|" * len(BUDGETS))
    for sampler in SAMPLERS:
        table = regrets(bench, work, sampler, seeds, functions)
        names = [f for who, f in table if who == "optuna"]
        p_values, medians = {}, {}
        for function in names:
            for i, budget in enumerate(BUDGETS):
                ours = [best[i] for best in table[("tradewind", function)]]
                theirs = [best[i] for best in table[("optuna", function)]]
                p_values[(function, budget)] = float(mannwhitneyu(ours, theirs, alternative="greater").pvalue)
                medians[(function, budget)] = (statistics.median(ours), statistics.median(theirs))
        worse = holm(p_values)
        for function in names:
            cells = []
            for budget in BUDGETS:
                key = (function, budget)
                mark = " **worse**" if key in worse else ""
                cells.append(f"{medians[key][0]:.3g} / {medians[key][1]:.3g} (p {p_values[key]:.2f}){mark}")
            print(f"| {sampler} | {function} | " + " | ".join(cells) + " |", flush=True)
        print(f"{sampler}: {len(worse)} of {len(p_values)} cells significantly worse", file=sys.stderr)


def main():
    bench, work, *words = sys.argv[1:]
    what = next((word for word in words if not word.startswith("--")), "all")
    quick = "--quick" in words
    if what in ("time", "all"):
        compare_times(bench, QUICK_TIMES if quick else TIMES + (LONG_TIMES if "--long" in words else []), 1 if quick else 3)
        print()
    if what in ("quality", "all"):
        compare_quality(bench, pathlib.Path(work), QUICK_SEEDS if quick else SEEDS, QUICK_FUNCTIONS if quick else ())


if __name__ == "__main__":
    main()
