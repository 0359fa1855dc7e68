#!/usr/bin/env bash
# A real MLflow server behind a line that fails by a seed, restarts of the server, and a killed training: everything
# that was logged is there exactly once, read back with MLflow's own client.
# TW_BINARY: the tradewind program; TW_VENV: a virtual environment with requirements.txt in it; TW_SEED: of the faults.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
launch="$here/../../../scripts/launch_mlflow.sh"
python="${TW_PYTHON:-$TW_VENV/bin/python}"
work="$(mktemp -d)"
unset MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
export TW_CACHE="${TW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tradewind}" # the launcher's environment is the one of here
export PYTHONPATH="$here/../common"
export HOME="$work" MLFLOW_DISABLE_TELEMETRY=true GIT_PYTHON_REFRESH=quiet

finish() {
  "$launch" stop --data "$work/server" >/dev/null 2>&1 || true
  rm -rf "$work" || true # what is ending may still write
}
trap finish EXIT

port=$("$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
# As a first start leaves it that is killed between two tables.
mkdir -p "$work/server/state"
: >"$work/server/state/unfinished"
"$python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("CREATE TABLE experiments (experiment_id INTEGER)")' \
  "$work/server/mlflow.db"
"$launch" start --data "$work/server" --port "$port" >"$work/server.log" 2>&1 || { cat "$work/server.log" >&2; exit 1; }
"$python" "$here/check_faults.py" "$TW_BINARY" "$work" "$work/server" "$launch" "$port" "${TW_SEED:-1}"
