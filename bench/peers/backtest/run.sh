#!/usr/bin/env bash
# Backtests as many bars with as many position changes in vectorbt, backtesting.py and Tradewind, in turns, one thread each,
# and prints bars a second and the ratios.
#   bench/peers/backtest/run.sh [ROUNDS]
# Makes a virtual environment (cached, see scripts/common.sh) and builds sim_bench with the bench preset.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
work=build/peers-backtest
mkdir -p "$work"
venv=$(venv_for bench/peers/backtest/requirements.txt)
echo "== building sim_bench" >&2
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target sim_bench >"$work/build.log"
exec "$venv/bin/python" bench/peers/backtest/compare.py build/bench/bench/sim_bench "${1:-3}"
