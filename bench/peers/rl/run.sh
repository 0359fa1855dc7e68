#!/usr/bin/env bash
# Trains the same PPO on CartPole-v1 with Stable-Baselines3 and with Tradewind, in turns, and prints the ratios.
#   bench/peers/rl/run.sh [ROUNDS]
# Installs and builds what it needs (bench_peer in scripts/common.sh); torch is a large download: some gigabytes. The
# measuring itself takes under four minutes on two free cores.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
bench_peer rl bench rl_train_bench
exec "$venv/bin/python" bench/peers/rl/compare.py build/bench/bench/rl_train_bench "$venv/bin/python" "$work" "${1:-3}"
