#!/usr/bin/env bash
# Our S3 client, and MLflow artifacts through it, against an S3 server that checks signatures (moto with IAM).
#
# TW_BUILD: the build folder with tests/tw_s3_live_test and tests/tw_mlflow_live_test; TW_VENV: a virtual environment
# with requirements.txt in it. MLflow's own environment is that of tests/peers/mlflow.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
cd "$here/../../.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
TW_BUILD=$(realpath "$TW_BUILD") TW_VENV=$(realpath "$TW_VENV")
mlflow_venv=$(venv_for tests/peers/mlflow/requirements.txt)
work="$(mktemp -d)"
groups=()

stop() {
  local group
  for group in "${groups[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
  sleep 1
  for group in "${groups[@]}"; do kill -KILL -- "-$group" 2>/dev/null || true; done
}
trap 'stop; rm -rf "$work" || true' EXIT
export HOME=$work
cd "$work"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for URL LOG: until it answers, three minutes at most.
wait_for() {
  local deadline=$((SECONDS + 180))
  until python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=2)' "$1" 2>/dev/null; do
    if ((SECONDS > deadline)); then tail -n 20 "$2" >&2; die "$1 does not answer"; fi
    sleep 0.3
  done
}

# store NAME SETTING...: starts an S3 server and sets `endpoint`. Parts may be small, so that a test of parts need not move
# megabytes.
store() {
  local port
  port=$(free_port)
  endpoint=http://127.0.0.1:$port
  env S3_UPLOAD_PART_MIN_SIZE=1000 "${@:2}" setsid "$TW_VENV/bin/moto_server" -H 127.0.0.1 -p "$port" \
    >"$1.log" 2>&1 </dev/null &
  groups+=($!)
  wait_for "$endpoint/moto-api/data.json" "$1.log"
}

# mlflow_server NAME OPTION...: starts one and sets TW_MLFLOW_URI.
mlflow_server() {
  local port
  port=$(free_port)
  PYTHONPATH=$work/boto setsid "$mlflow_venv/bin/mlflow" server --host 127.0.0.1 --port "$port" --workers 1 \
    --backend-store-uri "sqlite:///$work/$1.db" "${@:2}" >"$1.log" 2>&1 </dev/null &
  groups+=($!)
  export TW_MLFLOW_URI=http://127.0.0.1:$port
  wait_for "$TW_MLFLOW_URI/health" "$1.log"
}

artifact_tests() { "$TW_BUILD/tests/tw_mlflow_live_test" --gtest_brief=1 --gtest_filter='*Artifact*:*File*:*Model*:*Parts*:*Version*'; }

say "the client"
store checking INITIAL_NO_AUTH_ACTION_COUNT=4
# prints an export of keys that exist only in this server
eval "$("$TW_VENV/bin/python" "$here/store.py" prepare "$endpoint")"
"$TW_BUILD/tests/tw_s3_live_test" --gtest_brief=1
"$TW_VENV/bin/python" "$here/store.py" check "$endpoint"

export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
# The server needs boto3 only when it stands before the store itself.
mkdir boto
for name in boto3 botocore s3transfer jmespath; do ln -s "$TW_VENV"/lib/python3.*/site-packages/$name boto/; done

say "MLflow, clients write to the store themselves"
mlflow_server direct --no-serve-artifacts --default-artifact-root s3://tradewind-test/direct
TW_S3_DIRECT=1 artifact_tests
"$TW_VENV/bin/python" "$here/store.py" check "$endpoint"

say "MLflow, the server stands before the store"
# The server presigns parts; moto takes presigned requests only when it does not check signatures.
store trusting
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1 MLFLOW_S3_ENDPOINT_URL=$endpoint
"$TW_VENV/bin/python" "$here/store.py" bucket "$endpoint"
mlflow_server proxied --artifacts-destination s3://tradewind-test/proxied
artifact_tests
grep -q 'partNumber=3&' trusting.log || die "no upload went in parts"
