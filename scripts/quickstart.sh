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

usage() { sed -n '2,11p' scripts/quickstart.sh | sed 's/^# \{0,1\}//'; }

web=0
for option in "$@"; do
  case $option in
    --web) web=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

begin=$SECONDS
check_processor
data=$(bars_folder)
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
