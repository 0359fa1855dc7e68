#!/usr/bin/env bash
# Trials with a trivial objective a second, Optuna's storage beside ours, in turns, on SQLite and on one PostgreSQL server
# that this script starts; then how the cost of a trial grows with the study.
#   bench/peers/hpo_storage/run.sh [ROUNDS] [LONG_TRIALS]
# Makes a virtual environment (cached, see scripts/common.sh) and builds tw_hpo_driver with the dev preset. Needs the
# Debian package postgresql.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=tests/peers/optuna/cluster.sh
source tests/peers/optuna/cluster.sh
export TZ=UTC
venv=$(venv_for bench/peers/hpo_storage/requirements.txt)
echo "== building tw_hpo_driver" >&2
mkdir -p build/peers-hpo-storage
cmake --preset dev >build/peers-hpo-storage/configure.log
cmake --build build/dev --target tw_hpo_driver >build/peers-hpo-storage/build.log
# Both databases on one disk: fsync is most of the time.
work=$(mktemp -d)
cluster=$(mktemp -d)
stop() {
  stop_cluster "$cluster"
  rm -rf "$work" "$cluster"
}
trap stop EXIT
start_cluster "$cluster" theirs ours
"$venv/bin/python" bench/peers/hpo_storage/compare.py build/dev/tests/tw_hpo_driver "${1:-3}" "${2:-20000}" \
  "sqlite:///$work/theirs.db" "sqlite:///$work/ours.db" "$(cluster_url "$cluster" theirs)" "$(cluster_url "$cluster" ours)"
