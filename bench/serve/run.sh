#!/usr/bin/env bash
# Times of `tradewind serve` and of its page: bench/serve/run.sh [PROGRAM] [N]
#
# A year of hourly bars, then ten years of one-minute bars (3.76 million): each simulated again N times (15) after a change
# of the spread, by a client alone (server.py) and by the page in headless Chromium (page.mjs). Budgets: the year of hours
# under 100 ms at the server, its chart drawn in under 300 ms. PROGRAM is build/dev/bin/tradewind unless told.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
cd "$here/../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=tests/peers/web/minutes.sh
source tests/peers/web/minutes.sh
TW_BINARY=$(readlink -f "${1:-build/dev/bin/tradewind}")
count=${2:-15}
unset MLFLOW_TRACKING_URI TRADEWIND_DB TRADEWIND_SERVE_TOKEN

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm_ci web
npm_ci tests/peers/web
(cd web && node build.mjs >/dev/null)
data=$(bars_folder)
fetch_bars "$data"
{
  export TRADEWIND_HOME=$work/hours
  "$TW_BINARY" data import --quiet "$data/$(basename "$BARS")" --instrument EURUSD --freq 60min --side ask
  "$TW_BINARY" train --quiet --config styles/quickstart.yaml
  (fill_minutes "$work/minutes" 10)
} >"$work/log" 2>&1 || { cat "$work/log" >&2; die "the stores could not be filled"; }

# measure HOME MODEL FROM TO N
measure() {
  timeout 600 python3 "$here/server.py" "$TW_BINARY" "$1" "$2" "$3" "$4" "$5"
  timeout 600 node "$here/page.mjs" "$TW_BINARY" "$1" web/dist "$2" "$3" "$4" "$5"
}
measure "$work/hours" quickstart-eurusd:1 2017-01-02 2017-12-29 "$count"
measure "$work/minutes" minutes-eurusd:1 2010-01-04 2020-01-03 "$(((count + 2) / 3))"
