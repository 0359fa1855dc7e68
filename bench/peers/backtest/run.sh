#!/usr/bin/env bash
# Backtests as many bars with as many position changes in vectorbt, backtesting.py and Tradewind, in turns, one thread each,
# and prints bars a second and the ratios.
#   bench/peers/backtest/run.sh [ROUNDS]
# Makes a virtual environment in build/peers-backtest and builds sim_bench with the bench preset.
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=build/peers-backtest
mkdir -p "$work"
if [[ ! -x $work/venv/bin/python ]] || ! "$work/venv/bin/python" -c 'import vectorbt, backtesting' 2>/dev/null; then
  echo "== making the virtual environment of vectorbt and backtesting.py" >&2
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --no-cache-dir -r bench/peers/backtest/requirements.txt
fi
echo "== building sim_bench" >&2
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target sim_bench >"$work/build.log"
exec "$work/venv/bin/python" bench/peers/backtest/compare.py build/bench/bench/sim_bench "${1:-3}"
