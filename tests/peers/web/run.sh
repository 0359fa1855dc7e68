#!/usr/bin/env bash
# Drives the web application in Debian's headless Chromium against the real program on real data, on made-up one-minute
# bars of a year, and with a real MLflow as tracking server.
# TW_BINARY: the tradewind program. TW_PICTURES: a folder that receives the pictures of docs/images (optional). TW_LONG:
# when set, the one-minute bars are those of ten years.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
cd "$here/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=tests/peers/web/minutes.sh
source tests/peers/web/minutes.sh
TW_BINARY=$(readlink -f "$TW_BINARY")

begin=$SECONDS
unset MLFLOW_TRACKING_URI TRADEWIND_DB TRADEWIND_SERVE_TOKEN
work=$(mktemp -d)
tests=
# Whoever ends this script ends the browser and the servers too: they are in the process group of `timeout`.
finish() {
  [[ -z $tests ]] || kill -KILL -- "-$tests" 2>/dev/null || true
  if [[ -d $work/mlflow/state ]]; then scripts/launch_mlflow.sh stop --data "$work/mlflow" >/dev/null 2>&1 || true; fi
  rm -rf "$work" || true # what is ending may still write
}
trap finish EXIT
trap 'exit 143' TERM INT
# Most of MLflow's start is waiting for imports.
mlflow_port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
MLFLOW_DISABLE_TELEMETRY=true scripts/launch_mlflow.sh start --data "$work/mlflow" --port "$mlflow_port" >"$work/mlflow.log" 2>&1 &
mlflow=$!

npm_ci web
npm_ci tests/peers/web
(cd web && npm run --silent check >../build/web-check.log 2>&1) ||
  { cat build/web-check.log >&2; die "the types of web/ fail, or no longer fit docs/api/openapi.yaml"; }
(cd web && npm test --silent >../build/web-unit.log 2>&1) ||
  { grep -A 12 '^not ok' build/web-unit.log >&2; die "unit tests of web/ fail"; }
(cd web && node build.mjs)
echo "web: installed, checked, unit-tested and built in $((SECONDS - begin)) s"

data=$(bars_folder)
fetch_bars "$data"
export TRADEWIND_HOME=$work/home
# Two small agents and a small search: what they earn does not matter here, that they differ does.
train() {
  "$TW_BINARY" train --quiet --config styles/quickstart.yaml --set name="$1" --set agent.steps=20000 --set agent.seeds=1 \
    --set validation.folds=2 --set baselines.random_runs=20 --set world.risk.leverage_cap="$2" --seed "$3" >/dev/null
}
{
  "$TW_BINARY" data import --quiet "$data/$(basename "$BARS")" --instrument EURUSD --freq 60min --side ask
  train quickstart 2.0 1
  train careful 1.0 2
  "$TW_BINARY" optimize --quiet --config styles/quickstart.yaml --set agent.steps=8000 --set validation.folds=2 \
    --set baselines.random_runs=20 --trials 8 --workers 1 --no-holdout --study small-search
} >"$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; die "the store could not be filled"; }
echo "web: data and two models after $((SECONDS - begin)) s"

(fill_minutes "$work/minutes" "$((${TW_LONG:+9} + 1))") >"$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; die "no store of minutes"; }
echo "web: minutes after $((SECONDS - begin)) s"

# The same quickstart where runs and models go to MLflow.
wait "$mlflow" || { cat "$work/mlflow.log" >&2; die "MLflow does not start"; }
tracked() {
  export TRADEWIND_HOME=$work/tracked MLFLOW_TRACKING_URI=http://127.0.0.1:$mlflow_port
  "$TW_BINARY" data import --quiet "$data/$(basename "$BARS")" --instrument EURUSD --freq 60min --side ask &&
    train tracked 1.5 3
}
(tracked) >"$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; die "no training with MLflow"; }
echo "web: a model in MLflow after $((SECONDS - begin)) s"

TW_WORK=$work TW_WEB=$PWD/web/dist TW_MINUTES_HOME=$work/minutes TW_MINUTES_MADE=$work/minutes/made.json \
  TW_MLFLOW_HOME=$work/tracked TW_MLFLOW_URI=http://127.0.0.1:$mlflow_port \
  timeout -k 5 900 node --test --test-concurrency=1 --test-reporter=spec tests/peers/web/{web,minutes,mlflow}.test.mjs &
tests=$!
wait "$tests"
tests=
echo "web: done after $((SECONDS - begin)) s"
