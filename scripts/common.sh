# shellcheck shell=bash
# Shared by the scripts beside it; sourced, not run. Expects the checkout as working directory.

say() { printf '== %s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# What ships is built for x86-64-v3: say so before anything dies of an illegal instruction.
check_processor() {
  local flags need
  flags=" $(grep -m1 '^flags' /proc/cpuinfo 2>/dev/null) "
  for need in avx2 fma bmi2; do
    [[ $flags == *" $need "* ]] ||
      die "this processor lacks $need; Tradewind needs x86-64-v3 (AVX2, FMA, BMI2: 2013 and later)"
  done
}

# packages_for TAG...: the packages of scripts/packages.txt without a tag, and those with one of the tags.
packages_for() {
  awk -v tags=" $* " '!/^#/ && NF { if (NF == 1 || index(tags, " " $2 " ")) print $1 }' scripts/packages.txt | sort -u
}

# install_packages TAG...: installs what is missing and says what. Needs no root when nothing is missing.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "no dpkg here: taking for granted that what scripts/packages.txt lists is installed"
    return
  fi
  local missing=() name
  for name in $(packages_for "$@"); do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "missing packages and no root: run as root  apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log begin=$SECONDS
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get failed (its last lines are above)"
  fi
  rm -f "$log"
  say "installed in $((SECONDS - begin)) s"
}

# One compiler a core, but no more than memory allows: the largest sources take 1.5 GB.
jobs_for_build() {
  local cores memory_jobs
  cores=$(nproc)
  memory_jobs=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || true)
  [[ -n $memory_jobs ]] || memory_jobs=$cores
  ((memory_jobs < 1)) && memory_jobs=1
  ((memory_jobs < cores)) && cores=$memory_jobs
  echo "$cores"
}

# build_preset PRESET [TARGET...]: configures and builds; the compiler's words go to a log that is shown on failure.
build_preset() {
  local preset=$1 begin=$SECONDS log target=()
  shift
  (($#)) && target=(--target "$@")
  log=build/$preset/build.log
  mkdir -p "build/$preset"
  if ! { cmake --preset "$preset" && cmake --build "build/$preset" --parallel "$(jobs_for_build)" "${target[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    grep -nE 'error|FAILED|CMake Error' "$log" | head -n 20 >&2 || true
    tail -n 40 "$log" >&2
    die "the $preset build failed; everything it said is in $log"
  fi
  say "built the $preset preset in $((SECONDS - begin)) s"
}

cache_dir() { echo "${TW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tradewind}"; }

# venv_for REQUIREMENTS: prints the folder of a virtual environment that holds them; made once for each content, by one
# process at a time.
venv_for() {
  local requirements=$1 key folder lock
  key=$({ python3 --version; grep -vE '^[[:space:]]*(#|$)' "$requirements"; } | sha256sum | cut -c1-16)
  folder=$(cache_dir)/venvs/$key
  mkdir -p "$(dirname "$folder")"
  exec {lock}>"$folder.lock"
  flock "$lock"
  if [[ ! -e $folder/complete ]]; then
    rm -rf "$folder"
    python3 -m venv "$folder" >&2
    say "installing $requirements into a virtual environment (once)" >&2
    if ! "$folder/bin/python" -m pip install --quiet --no-input --disable-pip-version-check -r "$requirements" \
      >"$folder/pip.log" 2>&1 </dev/null; then
      tail -n 15 "$folder/pip.log" >&2
      echo "error: pip could not install $requirements: this needs a Python package index the first time" >&2
      return 1
    fi
    touch "$folder/complete"
  fi
  exec {lock}>&-
  echo "$folder"
}

# bench_peer NAME PRESET TARGET [TAG...]: what bench/peers/NAME needs from nothing: packages (those of the tags, too), TARGET
# built with PRESET, and its requirements.txt installed. Sets `venv`, and `work`, a folder to keep things in. Speaks on
# standard error only: what is measured goes to standard output.
bench_peer() {
  local folder=bench/peers/$1 build_with=$2 program=$3
  check_processor
  work=build/peers-$1
  shift 3
  install_packages bench "$@" >&2
  mkdir -p "$work"
  # shellcheck disable=SC2034 # for the caller
  venv=$(venv_for "$folder/requirements.txt")
  build_preset "$build_with" "$program" >&2
}

# Node 18 or later with its npm, wherever it comes from: Debian's own packages (tag web) only where there is none.
have_node() {
  command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' 2>/dev/null
}

# npm_ci FOLDER [OPTION...]: installs exactly what FOLDER/package-lock.json names; does nothing when it is there already.
npm_ci() {
  local folder=$1 key log
  shift
  key=$({ node --version; echo "$*"; cat "$folder/package.json" "$folder/package-lock.json"; } | sha256sum | cut -c1-16)
  [[ -e $folder/node_modules/.complete-$key ]] && return
  log=$(mktemp)
  if ! (cd "$folder" && npm ci --no-audit --no-fund --prefer-offline --cache "$(cache_dir)/npm" "$@") >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "npm could not install what $folder/package-lock.json names: this needs the npm registry the first time"
  fi
  rm -f "$log"
  touch "$folder/node_modules/.complete-$key"
}

# build_web: the pages of `tradewind serve`, web/dist.
build_web() {
  npm_ci web --omit=dev
  (cd web && node build.mjs)
}

# A year of real EURUSD hourly bars: what the quickstart trains on, and the tests of the web application.
WHEEL=gym_anytrading-2.0.0-py3-none-any.whl
WHEEL_SHA256=29e88b9d38272ea338c8cfcebc6a0f0302c7a8c02048331ad6a4d22cdd825e54
BARS=gym_anytrading/datasets/data/FOREX_EURUSD_1H_ASK.csv

# Where fetch_bars keeps them for everybody.
bars_folder() { echo "$(cache_dir)/data/gym-anytrading-2.0.0"; }

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
