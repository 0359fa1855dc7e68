#!/usr/bin/env bash
# From a fresh Debian 12 to a judged agent: installs what is missing, builds the product, fetches a year of real EURUSD
# hourly bars, imports and checks them, trains an agent walk-forward, and prints its verdict after costs.
#
#   scripts/quickstart.sh [--web] [--help]
#
#   --web   also builds the web application (Node 18 and the npm registry), for `tradewind serve`
#
# Installing needs root or sudo, and only when something is missing. The bars come once from PyPI (the package
# gym-anytrading ships them under the MIT licence) and are kept in $TW_CACHE (default ~/.cache/tradewind); afterwards
# nothing here needs the network. The store is $TRADEWIND_HOME (default ~/.local/share/tradewind). Run it again at will.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

WHEEL=gym_anytrading-2.0.0-py3-none-any.whl
WHEEL_SHA256=29e88b9d38272ea338c8cfcebc6a0f0302c7a8c02048331ad6a4d22cdd825e54
BARS=gym_anytrading/datasets/data/FOREX_EURUSD_1H_ASK.csv

usage() { sed -n '2,11p' scripts/quickstart.sh | sed 's/^# \{0,1\}//'; }

web=0
for option in "$@"; do
  case $option in
    --web) web=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

# fetch_bars FOLDER: puts the CSV file there, checked; the package is unpacked, never run.
fetch_bars() {
  local folder=$1 work
  [[ -s $folder/$(basename "$BARS") ]] && return
  say "fetching a year of EURUSD bars (PyPI: gym-anytrading 2.0.0)"
  work=$(mktemp -d)
  if ! python3 -m pip download --quiet --no-input --disable-pip-version-check --no-deps --dest "$work" \
    gym-anytrading==2.0.0 >"$work/log" 2>&1 </dev/null; then
    tail -n 5 "$work/log" >&2
    rm -rf "$work"
    die "the bars could not be fetched: this step needs PyPI once"
  fi
  echo "$WHEEL_SHA256  $work/$WHEEL" | sha256sum --check --quiet ||
    die "$work/$WHEEL is not the file that was pinned; it was not used"
  python3 -m zipfile -e "$work/$WHEEL" "$work/unpacked"
  mkdir -p "$folder"
  cp "$work/unpacked/$BARS" "$folder/.incoming"
  mv "$folder/.incoming" "$folder/$(basename "$BARS")"
  rm -rf "$work"
}

begin=$SECONDS
check_processor
data=$(cache_dir)/data/gym-anytrading-2.0.0
tags=()
if [[ ! -s $data/$(basename "$BARS") ]]; then tags+=(data); fi
if ((web)) && ! have_node; then tags+=(web); fi
install_packages "${tags[@]}"
build_preset release tradewind
export PATH=$PWD/build/release/bin:$PATH
fetch_bars "$data"
if ((web)); then
  say "building the web application"
  build_web
fi

job=$SECONDS
say "importing"
tradewind data import "$data/$(basename "$BARS")" --instrument EURUSD --freq 60min --side ask
say "checking the data"
tradewind data check --instrument EURUSD --freq 60min
say "training and judging (a minute on two cores)"
tradewind train --config styles/quickstart.yaml

say "done: the job took $((SECONDS - job)) s, everything $((SECONDS - begin)) s"
if ((web)); then echo "To look at it in a browser: tradewind serve"; fi
echo "The program is build/release/bin/tradewind; to type just its name: export PATH=$PWD/build/release/bin:\$PATH"
