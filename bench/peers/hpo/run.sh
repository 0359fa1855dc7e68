#!/usr/bin/env bash
# Optuna, Rustuna and Tradewind on the same studies in memory, one thread each: time, and quality with a statistical test.
#   bench/peers/hpo/run.sh [time|quality|all] [--long|--quick]
# time: 1,000 trials of 10 and 40 parameters; --long adds 5,000 and 10,000 (Optuna only up to 1,000: it would take hours).
# quality: regret after 30, 100 and 300 trials over 30 seeds; prints the table of docs/hpo_samplers.md.
# --quick: the same in a minute, to see that it works; its figures say nothing.
# Installs and builds what it needs (bench_peer in scripts/common.sh).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
bench_peer hpo bench hpo_bench
# One thread each: numpy's linear algebra would take more.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$venv/bin/python" bench/peers/hpo/compare.py build/bench/bench/hpo_bench "$work" "$@"
