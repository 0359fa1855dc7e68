"""Runs rl_train_bench and Stable-Baselines3 in turns on the same machine and prints a table of medians and ratios.

    python compare.py RL_TRAIN_BENCH SB3_PYTHON WORK_FOLDER [ROUNDS]

Both train the same network with the same hyperparameters on CartPole-v1. Stable-Baselines3 runs fewer steps, since its
rate does not depend on them (its own start-up is outside the measured time).
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ours, python, work = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
here = Path(__file__).parent
zoo = here.parents[2] / "config/rl/cartpole.yaml"
defaults = Path(work, "defaults.yaml")
defaults.write_text("env: CartPole-v1\nnum_envs: 1\ntotal_timesteps: 200000\n")
CASES = (("PPO, SB3's defaults, 1 env", "defaults", defaults, 6144), ("PPO, zoo settings, 8 envs", "zoo", zoo, 8192))


def run(command):
    # Libraries that start threads of their own must keep to the number asked for.
    threads = {name: command[-1] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=220,
                            env={**os.environ, **threads}).stdout
    return json.loads(output.strip().splitlines()[-1])


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


rows = []
for threads in ("1", "2"):
    for title, settings, config, steps in CASES:
        rates = {"ours": [], "sb3": []}
        for seed in range(1, rounds + 1):
            mine = run([ours, str(config), str(seed), threads])
            theirs = run([python, str(here / "train_sb3.py"), settings, str(steps), str(seed), threads])
            rates["ours"].append(mine["steps_per_second"])
            rates["sb3"].append(theirs["steps_per_second"])
        mid = {name: statistics.median(values) for name, values in rates.items()}
        rows.append((title, threads, mid["ours"], mid["sb3"], mid["ours"] / mid["sb3"], mine["score"]))
print(f"{processor()}, {os.cpu_count()} cores, {mine['kernel']}; {theirs['versions']}; median of {rounds}\n")
print("| settings | threads | ours, steps/s | Stable-Baselines3, steps/s | ratio | our score after 200k / 100k steps |")
print("|---|---|---|---|---|---|")
for title, threads, mine, theirs, ratio, score in rows:
    print(f"| {title} | {threads} | {mine:,.0f} | {theirs:,.0f} | {ratio:.0f} | {score:.1f} |")
Path(work, "results.json").write_text(json.dumps([dict(zip(
    ("settings", "threads", "ours", "sb3", "ratio", "score"), row)) for row in rows], indent=1) + "\n")
