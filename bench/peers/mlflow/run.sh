#!/usr/bin/env bash
# Metrics per second to a real MLflow server from MLflow's own client and from Tradewind, in turns, and what logging costs
# a training.
#   bench/peers/mlflow/run.sh [ROUNDS]
# Starts the server (SQLite) with scripts/launch_mlflow.sh and builds mlflow_bench and tradewind with the bench preset.
# The measuring itself takes about seven minutes on two free cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
work=$PWD/build/peers-mlflow
rm -rf "$work"
mkdir -p "$work"
venv=$(venv_for scripts/mlflow/requirements.txt)
say "building mlflow_bench and tradewind"
cmake --preset bench >"$work/configure.log"
cmake --build --preset bench --target mlflow_bench tradewind >"$work/build.log"
trap 'scripts/launch_mlflow.sh stop --data "$work/server" >/dev/null 2>&1 || true' EXIT
port=$("$venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
scripts/launch_mlflow.sh start --data "$work/server" --port "$port" >"$work/server.log"
"$venv/bin/python" bench/peers/mlflow/compare.py build/bench/bench/mlflow_bench build/bench/bin/tradewind \
  "http://127.0.0.1:$port" "$work" "${1:-3}"
