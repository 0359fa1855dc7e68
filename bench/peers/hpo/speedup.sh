#!/usr/bin/env bash
# How `tradewind optimize` speeds up with workers: the same search with 1, 2, 4, ... workers of one thread each, up to one a
# core, in turns; prints trials a second and the speed-up. Each number of workers must find the same values.
#   bench/peers/hpo/speedup.sh [ROUNDS] [--quick]
# 3 rounds unless told; --quick: one round of a few short trials, to see that it works. The program is $TW_BINARY, or that of
# the dev preset, which is built. Needs nothing from a package index.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
check_processor
binary=${TW_BINARY-}
if [[ -z $binary ]]; then
  install_packages test >&2
  build_preset dev tradewind >&2
  binary=build/dev/bin/tradewind
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONPATH=tests/peers/common python3 bench/peers/hpo/speedup.py "$(readlink -f "$binary")" "$work" "$@"
