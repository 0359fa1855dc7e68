#!/usr/bin/env bash
# Real optuna and optuna-dashboard on studies of ours, in SQLite and in a PostgreSQL cluster of its own (a temporary
# folder, a socket only), and the tests of db and hpo against that server. TW_BUILD: the build folder; TW_VENV: a virtual
# environment with requirements.txt in it. TW_SCREENSHOT: where the picture of the dashboard goes, if anywhere.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
python="${TW_PYTHON:-$TW_VENV/bin/python}"
driver="$TW_BUILD/tests/tw_hpo_driver"
export TZ=UTC

work="$(mktemp -d)"
cluster="$(mktemp -d)"  # of its own, as PostgreSQL's account must reach it
# PostgreSQL refuses to run as root; its own account does it then.
as_postgres() { if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }
bin="$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)"
stop() {
  if [[ -s $cluster/data/postmaster.pid ]]; then
    (cd / && as_postgres "$bin/pg_ctl" -D "$cluster/data" -m immediate stop >/dev/null) || true
  fi
  rm -rf "$work" "$cluster"
}
trap stop EXIT

if ((EUID == 0)); then chown postgres:postgres "$cluster"; fi
(cd / && as_postgres "$bin/initdb" -D "$cluster/data" -U tw --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync &&
  as_postgres "$bin/pg_ctl" -D "$cluster/data" -w -t 60 -l "$cluster/log" \
    -o "-c listen_addresses= -c unix_socket_directories='$cluster' -c max_connections=60" start) >"$work/cluster.log" ||
  { cat "$work/cluster.log" >&2; exit 1; }
for name in reference ours tests; do
  psql -qX -h "$cluster" -U tw -d postgres -c "CREATE DATABASE $name"
done
url() { echo "postgresql+psycopg2://tw@/$1?host=$cluster"; }

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
"$python" "$here/check.py" "$driver" "$work" "$(url reference)" "$(url ours)" 2>&1 | grep -v hpo.stale_trial || rc=1
wait "$sqlite" || rc=1
grep -v hpo.stale_trial "$work/sqlite.log"
((rc == 0)) || exit "$rc"

"$python" "$here/check_dashboard.py" "$driver" "$work" "${TW_SCREENSHOT:-$work/dashboard.png}"
