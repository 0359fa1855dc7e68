#!/usr/bin/env bash
# Trials with a trivial objective a second, Optuna's storage beside ours, in turns, on SQLite and on one PostgreSQL server
# that this script starts; then how the cost of a trial grows with the study.
#   bench/peers/hpo_storage/run.sh [ROUNDS] [LONG_TRIALS] | --quick
# 3 rounds and 20,000 trials unless told; --quick: one round of few, to see that it works; its figures say nothing.
# Installs and builds what it needs (bench_peer in scripts/common.sh).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=tests/peers/optuna/cluster.sh
source tests/peers/optuna/cluster.sh
export TZ=UTC
rounds=${1:-3} long_trials=${2:-20000}
if [[ $rounds == --quick ]]; then rounds=0 long_trials=400; fi
bench_peer hpo_storage dev tw_hpo_driver test postgresql
# Both databases on one disk: fsync is most of the time.
databases=$(mktemp -d)
cluster=$(mktemp -d)
stop() {
  stop_cluster "$cluster"
  rm -rf "$databases" "$cluster"
}
trap stop EXIT
start_cluster "$cluster" theirs ours
"$venv/bin/python" bench/peers/hpo_storage/compare.py build/dev/tests/tw_hpo_driver "$rounds" "$long_trials" \
  "sqlite:///$databases/theirs.db" "sqlite:///$databases/ours.db" \
  "$(cluster_url "$cluster" theirs)" "$(cluster_url "$cluster" ours)"
