#!/usr/bin/env bash
# `tradewind optimize` with real partners: four of its workers and a Python study.optimize on one PostgreSQL study, its
# runs on a real MLflow server; then Ctrl-C, continued, with a worker and at last the command itself killed.
# TW_BINARY: the tradewind program; TW_VENV: a virtual environment with requirements.txt (optuna) in it. The MLflow
# server and client have the environment of tests/peers/mlflow.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
root="$here/../../.."
launch="$root/scripts/launch_mlflow.sh"
python="${TW_PYTHON:-$TW_VENV/bin/python}"
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
# shellcheck source=tests/peers/optuna/cluster.sh
source "$here/../optuna/cluster.sh"

unset MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
export TW_CACHE="${TW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tradewind}" # the launcher's environment is the one of here
mlflow_python="$(venv_for "$here/../mlflow/requirements.txt")/bin/python"
work="$(mktemp -d)"
cluster="$(mktemp -d)" # of its own, as PostgreSQL's account must reach it
finish() {
  "$launch" stop --data "$work/server" >/dev/null 2>&1 || true
  stop_cluster "$cluster"
  rm -rf "$work" "$cluster" || true # what is ending may still write
}
trap finish EXIT
export HOME="$work" TZ=UTC PYTHONPATH="$here/../common" MLFLOW_DISABLE_TELEMETRY=true GIT_PYTHON_REFRESH=quiet

port=$("$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$launch" start --data "$work/server" --port "$port" >"$work/server.log" 2>&1 &
server=$!
start_cluster "$cluster" studies
wait "$server" || { cat "$work/server.log" >&2; exit 1; }
"$python" "$here/check.py" "$TW_BINARY" "$work" "$(cluster_url "$cluster" studies)" "http://127.0.0.1:$port" "$mlflow_python"
