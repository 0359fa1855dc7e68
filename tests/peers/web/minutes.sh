# shellcheck shell=bash
# Sourced by run.sh and bench/serve/run.sh, not run. Expects the checkout as working directory, and TW_BINARY.

# fill_minutes HOME YEARS: a store of made-up one-minute bars, and two agents of its first weeks. They trade little, so that
# their accounts last. HOME/made.json says what the bars are.
fill_minutes() {
  local name
  export TRADEWIND_HOME=$1
  mkdir -p "$1"
  # Each by itself: nothing stops at an error in what stands before ||, as this does.
  python3 tests/peers/web/make_minutes.py "$1/minutes.csv" "$2" >"$1/made.json" || return
  head -n 100001 "$1/minutes.csv" >"$1/weeks.csv"
  "$TW_BINARY" data import --quiet "$1/weeks.csv" --instrument EURUSD --freq 1min --tz UTC --side bid || return
  for name in minutes other; do
    "$TW_BINARY" train --quiet --config styles/quickstart.yaml --set "name=$name" --set data.freq=1min \
      --set agent.steps=20000 --set agent.seeds=1 --set validation.folds=2 --set baselines.random_runs=10 \
      --set world.capital=1000000 --set world.risk.leverage_cap=0.05 --seed "${#name}" || return
  done
  "$TW_BINARY" data import --quiet "$1/minutes.csv" --instrument EURUSD --freq 1min --tz UTC --side bid || return
  rm "$1/minutes.csv" "$1/weeks.csv"
}
