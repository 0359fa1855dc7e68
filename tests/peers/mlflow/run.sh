#!/usr/bin/env bash
# Real MLflow servers, on SQLite and on PostgreSQL, take what our binary trains and give it to MLflow's own client; its
# web pages are looked at in a headless Chromium; one server asks for passwords. The servers are those of
# scripts/launch_mlflow.sh, which is tested on the way.
# TW_BINARY: the tradewind program; TW_VENV: a virtual environment with requirements.txt in it; TW_BUILD: the build
# folder, where the screenshots go (peers/mlflow).
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
root="$here/../../.."
launch="$root/scripts/launch_mlflow.sh"
python="${TW_PYTHON:-$TW_VENV/bin/python}"
work="$(mktemp -d)"
chmod 755 "$work" # PostgreSQL's account reaches through it
unset MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
export TW_CACHE="${TW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tradewind}" # the launcher's environment is the one of here
export PYTHONPATH="$here/../common"
export HOME="$work" MLFLOW_DISABLE_TELEMETRY=true GIT_PYTHON_REFRESH=quiet

finish() {
  local server
  for server in sqlite postgresql auth; do
    if [[ -d $work/$server/state ]]; then "$launch" stop --data "$work/$server" >/dev/null 2>&1 & fi
  done
  wait
  rm -rf "$work" || true # what is ending may still write
}
trap finish EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
free_ports() {
  "$python" -c 'import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))' "$1"
}
# said LOG WORDS...: the words stand in the log.
said() { grep -qF -- "${*:2}" "$1" || { cat "$1" >&2; fail "'${*:2}' was not said"; }; }

read -r sqlite_port postgresql_port auth_port < <(free_ports 3)
url=http://127.0.0.1

# ---- three servers at once: most of a start is waiting for imports
"$launch" start --data "$work/sqlite" --port "$sqlite_port" >"$work/sqlite.log" 2>&1 & first=$!
"$launch" start --data "$work/postgresql" --port "$postgresql_port" --backend postgresql >"$work/postgresql.log" 2>&1 & second=$!
MLFLOW_TRACKING_USERNAME=anna MLFLOW_TRACKING_PASSWORD=correct-horse-1 \
  "$launch" start --data "$work/auth" --port "$auth_port" --auth >"$work/auth.log" 2>&1 & third=$!
wait "$first" || { cat "$work/sqlite.log" >&2; fail "no server on SQLite"; }
wait "$second" || { cat "$work/postgresql.log" >&2; fail "no server on PostgreSQL"; }
wait "$third" || { cat "$work/auth.log" >&2; fail "no server with passwords"; }
echo "ok  three servers after $SECONDS s"

# ---- the launcher
[[ $("$launch" url --data "$work/sqlite") == "$url:$sqlite_port" ]] || fail "url"
"$launch" status --data "$work/sqlite" >"$work/log" && said "$work/log" "sqlite"
"$launch" start --data "$work/sqlite" >"$work/log" && said "$work/log" "MLflow runs at"
if "$launch" start --data "$work/other" --port "$sqlite_port" >"$work/log" 2>&1; then fail "a taken port was taken"; fi
said "$work/log" "port $sqlite_port is taken"
mkdir -p "$work/foreign/state"
sleep 600 & stranger=$!
echo "$stranger 1" >"$work/foreign/state/server" # the number of our server, as if another process had it now
"$launch" stop --data "$work/foreign" >"$work/log"
kill -0 "$stranger" || fail "stop ended a process that the launcher did not start"
kill "$stranger"
echo "ok  the launcher: url, status, a second start, a taken port, a stranger's process"

# ---- what we log, read back
for backend in sqlite postgresql; do
  port=${backend}_port
  echo "-- $backend"
  if [[ -x ${TW_BUILD-}/tests/tw_mlflow_live_test ]]; then
    TW_MLFLOW_URI="$url:${!port}" "$TW_BUILD/tests/tw_mlflow_live_test" --gtest_brief=1
    echo "ok  our client against every call that it makes"
  fi
  "$python" "$here/check_mlflow.py" "$TW_BINARY" "$url:${!port}" "$work"
  cp "$work/trained.json" "$work/trained-$backend.json"
done

# ---- the web pages
run_id=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["run_id"])' "$work/trained-sqlite.json")
pictures="${TW_BUILD:-$work}/peers/mlflow"
"$python" "$here/check_ui.py" "$url:$sqlite_port" "$run_id" quickstart-eurusd "$pictures"
echo "    screenshots in $pictures"

# ---- passwords
if [[ -x ${TW_BUILD-}/tests/tw_mlflow_live_test ]]; then
  TW_MLFLOW_URI="$url:$auth_port" TW_MLFLOW_USERNAME=anna TW_MLFLOW_PASSWORD=correct-horse-1 \
    "$TW_BUILD/tests/tw_mlflow_live_test" --gtest_brief=1 --gtest_filter='*Passwords*:*Artifact*:*Model*'
fi
"$python" "$here/check_auth.py" "$TW_BINARY" "$url:$auth_port" "$work" anna correct-horse-1

# ---- stop takes the children along, and a start finds everything again
leader=$(cut -d' ' -f1 "$work/postgresql/state/server")
"$launch" stop --data "$work/postgresql" >/dev/null
if kill -0 -- "-$leader" 2>/dev/null; then fail "stop left children of the server behind"; fi
[[ ! -e $work/postgresql/postgres/postmaster.pid ]] || fail "stop left PostgreSQL running"
"$launch" status --data "$work/postgresql" >/dev/null && fail "status says that a stopped server runs"
"$launch" start --data "$work/postgresql" >/dev/null
MLFLOW_TRACKING_URI=$("$launch" url --data "$work/postgresql") \
  "$TW_BINARY" models list --json --quiet --store "$work/local" >"$work/log"
said "$work/log" '"champion": 1'
echo "ok  stopped with its children, started again with its data"
