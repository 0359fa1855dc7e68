#!/usr/bin/env bash
# Trains the same PPO on CartPole-v1 with Stable-Baselines3 and with Tradewind, in turns, and prints the ratios.
#   bench/peers/rl/run.sh [ROUNDS]
# Makes a virtual environment in build/peers-rl (the download of torch is large: some gigabytes) and builds
# rl_train_bench with the bench preset. The measuring itself takes under four minutes on two free cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=build/peers-rl
mkdir -p "$work"
if [[ ! -x $work/venv/bin/python ]] || ! "$work/venv/bin/python" -c 'import stable_baselines3' 2>/dev/null; then
  echo "== making the virtual environment of Stable-Baselines3" >&2
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --no-cache-dir -r bench/peers/rl/requirements.txt
fi
echo "== building rl_train_bench" >&2
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target rl_train_bench >"$work/build.log"
exec "$work/venv/bin/python" bench/peers/rl/compare.py build/bench/bench/rl_train_bench "$work/venv/bin/python" \
  "$work" "${1:-3}"
