#!/usr/bin/env bash
# Real pyqlib opens a store that our binary made. TW_BINARY: the tradewind program; TW_VENV: a virtual environment with
# requirements.txt in it.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
work="$(mktemp -d)"
trap 'rm -rf "$work" || true' EXIT
# Qlib logs to its working directory and looks for settings in HOME.
cd "$work"
HOME="$work" "${TW_PYTHON:-$TW_VENV/bin/python}" "$here/check_store.py" "$TW_BINARY" "$work"
