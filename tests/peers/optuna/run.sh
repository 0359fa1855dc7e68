#!/usr/bin/env bash
# Real optuna and optuna-dashboard on studies of ours, in SQLite and in a PostgreSQL cluster of its own (a temporary
# folder, a socket only), and the tests of db and hpo against that server. TW_BUILD: the build folder; TW_VENV: a virtual
# environment with requirements.txt in it. TW_SCREENSHOT: where the picture of the dashboard goes, if anywhere.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
python="${TW_PYTHON:-$TW_VENV/bin/python}"
driver="$TW_BUILD/tests/tw_hpo_driver"
export TZ=UTC

# shellcheck source=tests/peers/optuna/cluster.sh
source "$here/cluster.sh"

work="$(mktemp -d)"
cluster="$(mktemp -d)"  # of its own, as PostgreSQL's account must reach it
stop() {
  stop_cluster "$cluster"
  rm -rf "$work" "$cluster" || true # what is ending may still write
}
trap stop EXIT
start_cluster "$cluster" reference ours tests
url() { cluster_url "$cluster" "$1"; }

export TW_PG_RESTART
TW_PG_RESTART="$(restart_command "$cluster")"
export TW_TEST_POSTGRES
TW_TEST_POSTGRES="$(url tests)"
for test in db/tw_db_test hpo/tw_hpo_test; do
  filter='*Postgres*:*postgresql*'
  "$TW_BUILD/src/$test" --gtest_filter="$filter" --gtest_brief=1 >"$work/test.log" 2>&1 ||
    { cat "$work/test.log" >&2; exit 1; }
  if grep -q SKIPPED "$work/test.log"; then grep SKIPPED "$work/test.log" | sort -u; fi
  echo "$(basename "$test") against PostgreSQL ok"
done

# Side by side: most of the time is waiting for heartbeats to get old.
"$python" "$here/check.py" "$driver" "$work" "sqlite:///$work/reference.db" "sqlite:///$work/ours.db" \
  >"$work/sqlite.log" 2>&1 &
sqlite=$!
rc=0
"$python" "$here/check.py" "$driver" "$work" "$(url reference)" "$(url ours)" 2>&1 | grep -vE 'hpo\.(stale_trial|storage_retry)' || rc=1
wait "$sqlite" || rc=1
grep -vE 'hpo\.(stale_trial|storage_retry)' "$work/sqlite.log"
((rc == 0)) || exit "$rc"

"$python" "$here/check_dashboard.py" "$driver" "$work" "${TW_SCREENSHOT:-$work/dashboard.png}"
