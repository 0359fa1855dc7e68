#!/usr/bin/env bash
# Trains the same PPO on CartPole-v1 with Stable-Baselines3 and with Tradewind, in turns, and prints the ratios.
#   bench/peers/rl/run.sh [ROUNDS]
# Makes a virtual environment (cached, see scripts/common.sh; torch is a large download: some gigabytes) and builds
# rl_train_bench with the bench preset. The measuring itself takes under four minutes on two free cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
work=build/peers-rl
mkdir -p "$work"
venv=$(venv_for bench/peers/rl/requirements.txt)
echo "== building rl_train_bench" >&2
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target rl_train_bench >"$work/build.log"
exec "$venv/bin/python" bench/peers/rl/compare.py build/bench/bench/rl_train_bench "$venv/bin/python" \
  "$work" "${1:-3}"
