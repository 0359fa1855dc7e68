#!/usr/bin/env bash
# Backtests as many bars with as many position changes in vectorbt, backtesting.py and Tradewind, in turns, one thread each,
# and prints bars a second and the ratios.
#   bench/peers/backtest/run.sh [ROUNDS]
# Installs and builds what it needs (bench_peer in scripts/common.sh).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
bench_peer backtest bench sim_bench
exec "$venv/bin/python" bench/peers/backtest/compare.py build/bench/bench/sim_bench "${1:-3}"
