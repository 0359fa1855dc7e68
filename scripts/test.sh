#!/usr/bin/env bash
# Installs what is missing, builds product and tests once at -O2, and runs all tests that need nothing foreign.
#
#   scripts/test.sh [--peers] [--sanitize] [--tidy] [--long]
#
#   --peers     besides: the real systems that we must agree with (tests/peers/*), in virtual environments from PyPI
#   --sanitize  besides: the tests under AddressSanitizer and UBSan, then under ThreadSanitizer
#   --tidy      besides: clang-format and clang-tidy over product code
#   --long      besides: slow tests, the benchmarks' build, and every fuzz target for a minute
#   --help      this text
#
# Installing needs root or sudo, and only when something is missing; everything else runs as anybody. Virtual
# environments are kept in $TW_CACHE (default ~/.cache/tradewind), so that only the first --peers needs the network.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

PEER_SECONDS_MAX=1200
FUZZ_SECONDS=60

usage() { sed -n '2,13p' scripts/test.sh | sed 's/^# \{0,1\}//'; }

peers=0 sanitize=0 tidy=0 long=0
for option in "$@"; do
  case $option in
    --peers) peers=1 ;;
    --sanitize) sanitize=1 ;;
    --tidy) tidy=1 ;;
    --long) long=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: unknown option $option (see scripts/test.sh --help)" >&2; exit 2 ;;
  esac
done

passed=0 failed=0 skipped=0
summary=()

# note NAME PASSED FAILED SKIPPED SECONDS
note() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  summary+=("$(printf '%-24s %5d passed %4d failed %4d skipped %6d s' "$1" "$2" "$3" "$4" "$5")")
}

attribute() { { grep -m1 -oE "[[:space:]]$1=\"[0-9]+\"" "$2" || echo 0; } | tr -dc 0-9; }

# run_ctest NAME PRESET [CTEST OPTION...]: counts come from the JUnit file that ctest writes.
run_ctest() {
  local name=$1 preset=$2 begin=$SECONDS junit rc=0 total=0 bad=0 off=0
  shift 2
  junit=$PWD/build/$preset/junit-$name.xml
  rm -f "$junit"
  say "tests: $name"
  ctest --test-dir "build/$preset" --parallel "$(nproc)" --output-on-failure --no-tests=error \
    --output-junit "$junit" "$@" >"build/$preset/ctest-$name.log" 2>&1 </dev/null || rc=$?
  if ((rc)); then grep -vE '^ *[0-9]+/[0-9]+ .* Passed ' "build/$preset/ctest-$name.log"; fi
  if [[ -s $junit ]]; then
    total=$(attribute tests "$junit") bad=$(attribute failures "$junit")
    off=$(($(attribute skipped "$junit") + $(attribute disabled "$junit")))
  fi
  # ctest may fail without a failed test: nothing found, or a test program that could not be listed.
  if ((rc && bad == 0)); then bad=1 total=$((total + 1)); fi
  note "$name" $((total - bad - off)) "$bad" "$off" $((SECONDS - begin))
}

run_peers() {
  local folder name begin venv good bad requirements
  for folder in tests/peers/*/; do
    [[ -x $folder/run.sh ]] || continue
    name=$(basename "$folder")
    begin=$SECONDS good=0 bad=0 venv=
    say "peer: $name"
    requirements=$folder/requirements.txt
    if ((long)) && [[ -e $folder/requirements-long.txt ]]; then requirements=$folder/requirements-long.txt; fi
    if { [[ ! -e $requirements ]] || venv=$(venv_for "$requirements"); } &&
      TW_BINARY=$PWD/build/dev/bin/tradewind TW_BUILD=$PWD/build/dev TW_VENV=$venv TW_PYTHON=$venv/bin/python \
        TW_LONG=${long/#0/} \
        timeout "$PEER_SECONDS_MAX" "$folder/run.sh" </dev/null; then
      good=1
    else
      bad=1
    fi
    note "peer $name" "$good" "$bad" 0 $((SECONDS - begin))
  done
}

run_tidy() {
  local begin=$SECONDS rc=0
  say "clang-format and clang-tidy"
  mkdir -p build/tidy
  { python3 tools/check_format.py clang-format-14 && cmake --preset tidy &&
    cmake --build build/tidy --parallel "$(jobs_for_build)" -- -k 0; } >build/tidy/build.log 2>&1 </dev/null || rc=1
  if ((rc)); then grep -E 'warning:|error:|check_format' build/tidy/build.log | sort -u | head -n 60; fi
  note tidy $((1 - rc)) "$rc" 0 $((SECONDS - begin))
}

run_fuzz() {
  local target name begin rc corpus seeds
  build_preset fuzz
  for target in build/fuzz/fuzz/fuzz_*; do
    [[ -f $target && -x $target ]] || continue
    name=$(basename "$target") begin=$SECONDS rc=0 seeds=()
    say "fuzz: $name for $FUZZ_SECONDS s"
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    if [[ -d fuzz/corpus/${name#fuzz_} ]]; then seeds=("fuzz/corpus/${name#fuzz_}"); fi
    "$target" -max_total_time=$FUZZ_SECONDS -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/$name-" "$corpus" "${seeds[@]}" >"build/fuzz/$name.log" 2>&1 </dev/null || rc=1
    if ((rc)); then tail -n 30 "build/fuzz/$name.log"; fi
    note "$name" $((1 - rc)) "$rc" 0 $((SECONDS - begin))
  done
}

check_processor
tags=(test)
if ((peers)); then
  tags+=(peers)
  have_node || tags+=(web)
fi
if ((tidy)); then tags+=(tidy); fi
if ((long)); then tags+=(fuzz bench); fi
install_packages "${tags[@]}"

build_preset dev
run_ctest unit dev -LE '^(slow|long)$'
if ((peers)); then run_peers; fi
if ((sanitize)); then
  build_preset asan
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
    run_ctest asan asan -LE '^(slow|long|tools)$'
  build_preset tsan
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 run_ctest tsan tsan -LE '^(slow|long|tools)$'
fi
if ((tidy)); then run_tidy; fi
if ((long)); then
  run_ctest long dev -L '^(slow|long)$'
  build_preset bench
  run_fuzz
fi

echo
printf '%s\n' "${summary[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
