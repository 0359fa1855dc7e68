#!/usr/bin/env bash
# onnxruntime runs the ONNX files that we export, and NumPy the networks in our safetensors files; both must agree with
# us. With TW_LONG=1 (test.sh --peers --long) Stable-Baselines3 loads the safetensors files too: its torch is a download of
# 3 GB, so requirements-long.txt is not for every run.
# TW_BUILD: the build folder with the test programs; TW_VENV: a virtual environment with the requirements in it.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
work="$(mktemp -d)"
trap 'rm -rf "$work" || true' EXIT
for test in rl:ExportTest training:PackageExportTest; do
  module=${test%%:*}
  TW_EXPORT_DIR="$work" "$TW_BUILD/src/$module/tw_${module}_test" --gtest_brief=1 --gtest_filter="${test#*:}.*"
done
options=()
if [[ -n ${TW_LONG-} ]]; then options+=(--sb3); fi
"${TW_PYTHON:-$TW_VENV/bin/python}" "$here/check_models.py" "$work" "${options[@]}"
