#!/usr/bin/env bash
# schemathesis on a running `tradewind serve`, then two hundred clients at once. TW_BINARY: the tradewind program;
# TW_VENV: a virtual environment with requirements.txt in it.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
work="$(mktemp -d)"
server=
finish() {
  if [[ -n $server ]]; then kill -TERM "$server" 2>/dev/null || true; fi
  rm -rf "$work" || true # what is ending may still write
}
trap finish EXIT
python="${TW_PYTHON:-$TW_VENV/bin/python}"
export TRADEWIND_HOME="$work/home"
unset MLFLOW_TRACKING_URI TRADEWIND_DB TRADEWIND_SERVE_TOKEN

# start LOG [OPTION...]: sets server and waits for the line with the address.
start() {
  local log=$1 i
  shift
  "$TW_BINARY" serve --port 0 --json "$@" >"$log" 2>"$log.err" </dev/null &
  server=$!
  for ((i = 0; i < 600; ++i)); do
    if [[ -s $log ]]; then return; fi
    sleep 0.1
  done
  cat "$log.err" >&2
  return 1
}

# stop: graceful, with exit code 0 within a minute, however busy the machine is.
stop() {
  local code=0
  kill -TERM "$server"
  timeout 60 tail --pid="$server" -f /dev/null || { echo "error: the server does not stop" >&2; return 1; }
  wait "$server" || code=$?
  server=
  if ((code)); then echo "error: the server ended with $code" >&2; return 1; fi
}

"$python" "$here/make_bars.py" "$work/bars.csv"
"$TW_BINARY" data import "$work/bars.csv" --instrument EURUSD --freq 60min --tz UTC --side bid --quiet >/dev/null
"$TW_BINARY" train --config styles/quickstart.yaml --set agent.steps=2048 --set agent.seeds=2 --set validation.folds=2 \
  --set baselines.random_runs=10 --set verdict.bootstrap_runs=200 --quiet >/dev/null

start "$work/serve.json"
"$python" "$here/check_api.py" "$work" "$here/../../../docs/api/openapi.yaml" "$TW_VENV/bin/st" "$work/serve.json"
"$python" "$here/check_clients.py" "$work/serve.json" "$server"
stop
# The token outlives the server, its simulations do not.
start "$work/again.json"
"$python" "$here/check_restart.py" "$work/serve.json" "$work/again.json"
stop
echo "api: fine"
