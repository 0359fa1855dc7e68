#!/usr/bin/env bash
# Optuna, Rustuna and Tradewind on the same studies in memory, one thread each: time, and quality with a statistical test.
#   bench/peers/hpo/run.sh [time|quality|all] [--long]
# time: 1,000 trials of 10 and 40 parameters; --long adds 5,000 and 10,000 (Optuna only up to 1,000: it would take hours).
# quality: regret after 30, 100 and 300 trials over 30 seeds; prints the table of docs/hpo.md.
# Makes a virtual environment (cached, see scripts/common.sh) and builds hpo_bench with the bench preset.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
work=build/peers-hpo
mkdir -p "$work"
venv=$(venv_for bench/peers/hpo/requirements.txt)
echo "== building hpo_bench" >&2
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target hpo_bench >"$work/build.log"
# One thread each: numpy's linear algebra would take more.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$venv/bin/python" bench/peers/hpo/compare.py build/bench/bench/hpo_bench "$work" "$@"
