#!/usr/bin/env bash
# A local MLflow server that keeps its data: started, watched and stopped by this script.
#
#   scripts/launch_mlflow.sh start [--backend sqlite|postgresql] [--port P] [--data DIR] [--docker] [--auth]
#   scripts/launch_mlflow.sh stop|status|url [--data DIR]
#
#   start    starts it, waits until it answers, prints how to use it; a server that runs already is left alone
#   stop     ends it with all its children, PostgreSQL too; ends nothing that this script did not start
#   status   says where it runs and on what; exit code 3 when it does not
#   url      prints the address for MLFLOW_TRACKING_URI
#
#   --backend   where runs and models are recorded: one SQLite file (the default), or an own PostgreSQL cluster;
#               settled at the first start
#   --port      5000 unless told, or the one of the last start
#   --data      database, artifacts and logs: $TW_MLFLOW_DATA, or ~/.local/share/tradewind/mlflow (as root
#               /var/lib/tradewind/mlflow, which PostgreSQL's own account can reach)
#   --docker    run the server in a container instead of a virtual environment; the data is the same
#   --auth      ask for user and password; the administrator is made of $MLFLOW_TRACKING_USERNAME and
#               $MLFLOW_TRACKING_PASSWORD (12 characters and more) at the first start, and later starts ask too
#
# It listens on this machine only (127.0.0.1). The first start needs a Python package index (PyPI), later ones nothing.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

START_SECONDS_MAX=300
STOP_SECONDS_MAX=30

usage() { sed -n '2,23p' scripts/launch_mlflow.sh | sed 's/^# \{0,1\}//'; }

# ---- what is asked for

command=${1-}
case $command in
  start | stop | status | url) shift ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
port='' backend='' docker=0 auth=0
if ((EUID == 0)); then data=/var/lib/tradewind/mlflow; else data=${XDG_DATA_HOME:-$HOME/.local/share}/tradewind/mlflow; fi
data=${TW_MLFLOW_DATA:-$data}
while (($#)); do
  case $1 in
    --port | --backend | --data)
      (($# > 1)) || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --docker) docker=1 ;;
    --auth) auth=1 ;;
    *) echo "error: unknown option $1 (see scripts/launch_mlflow.sh --help)" >&2; exit 2 ;;
  esac
  shift
done
[[ $backend =~ ^(sqlite|postgresql)?$ ]] || { echo "error: --backend sqlite or postgresql, not '$backend'" >&2; exit 2; }
[[ -z $port || ($port =~ ^[0-9]{1,5}$ && $port -ge 1 && $port -le 65535) ]] || { echo "error: --port $port" >&2; exit 2; }
data=$(realpath -m "$data")
[[ $data =~ ^[A-Za-z0-9/._+-]+$ ]] || die "--data $data: letters, digits and ._+- only, please (it becomes part of addresses)"

# ---- what is known of this data folder: written by `start`, one value a file

saved() { if [[ -r $data/state/$1 ]]; then cat "$data/state/$1"; fi; }
save() { printf '%s\n' "$2" >"$data/state/$1"; }

container() { echo "tradewind-mlflow-$(printf '%s' "$data" | sha256sum | cut -c1-12)"; }

# birth PID: when the process began, in the kernel's ticks. Together with the number it names one process for ever.
birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{print $20}'; }

# server_pid: of the server if it is ours and alive; nothing otherwise. A number is not given away while a process group
# has it, so a group without its leader is what our server left behind.
server_pid() {
  local pid began
  read -r pid began < <(saved server) || return 0
  if [[ -e /proc/$pid ]]; then
    if [[ $(birth "$pid") == "$began" ]]; then echo "$pid"; fi
  elif kill -0 -- "-$pid" 2>/dev/null; then
    echo "$pid"
  fi
}

container_runs() {
  command -v docker >/dev/null && [[ $(docker inspect -f '{{.State.Running}}' "$(container)" 2>/dev/null) == true ]]
}

# where: process, container or nothing; how our server runs now.
where() {
  if [[ -n $(server_pid) ]]; then echo process; elif [[ -n $(saved container) ]] && container_runs; then echo container; fi
}

# get PATH: whether the server answers 200 there. An own few lines, since curl need not be installed.
get() {
  local fd line=''
  { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" "$port" >&"$fd"
  read -r -t 5 line <&"$fd" || true
  exec {fd}>&-
  [[ $line == HTTP/1.?' 200 '* ]]
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# ---- PostgreSQL: a cluster of its own below the data folder, reached by its socket only

pg_bin() {
  local folder
  folder=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  [[ -n $folder ]] || die "no PostgreSQL below /usr/lib/postgresql"
  echo "$folder"
}

# PostgreSQL refuses to run as root: its own account does it then.
as_postgres() { if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }

pg_runs() { [[ -s $data/postgres/postmaster.pid ]] && as_postgres "$(pg_bin)/pg_ctl" -D "$data/postgres" status >/dev/null; }

start_postgres() {
  local bin
  bin=$(pg_bin)
  ((${#data} <= 80)) || die "$data: too long for a PostgreSQL socket; give a shorter --data"
  mkdir -p "$data/postgres" "$data/socket"
  chmod 700 "$data/postgres" "$data/socket"
  if ((EUID == 0)); then
    chown postgres:postgres "$data/postgres" "$data/socket"
    as_postgres test -x "$data" ||
      die "$data: the account 'postgres' cannot reach this folder; give a --data that it can, such as /var/lib/tradewind/mlflow"
  fi
  if [[ ! -s $data/postgres/PG_VERSION ]]; then
    (cd / && as_postgres "$bin/initdb" -D "$data/postgres" --username=mlflow --auth=trust --encoding=UTF8 --locale=C.UTF-8) \
      >"$data/logs/initdb.log" 2>&1 || { tail -n 5 "$data/logs/initdb.log" >&2; die "initdb failed"; }
  fi
  if ! pg_runs; then
    # Its socket's folder belongs to one account, so whoever can open it may log in without a password.
    (cd / && as_postgres "$bin/pg_ctl" -D "$data/postgres" -w -t 60 -l "$data/postgres/server.log" \
      -o "-c listen_addresses='' -c unix_socket_directories='$data/socket'" start) >"$data/logs/pg_ctl.log" 2>&1 {lock}>&- ||
      { tail -n 5 "$data/postgres/server.log" "$data/logs/pg_ctl.log" >&2; die "PostgreSQL did not start"; }
  fi
  if [[ -z $(psql_do postgres "SELECT 1 FROM pg_database WHERE datname = 'mlflow'") ]]; then
    psql_do postgres "CREATE DATABASE mlflow"
  fi
}

psql_do() { (cd / && as_postgres "$(pg_bin)/psql" -X -q -A -t -h "$data/socket" -U mlflow -d "$1" -v ON_ERROR_STOP=1 -c "$2"); }

stop_postgres() {
  [[ -d $data/postgres ]] && pg_runs || return 0
  (cd / && as_postgres "$(pg_bin)/pg_ctl" -D "$data/postgres" -w -t "$STOP_SECONDS_MAX" -m fast stop) >"$data/logs/pg_ctl.log" 2>&1 ||
    { tail -n 5 "$data/logs/pg_ctl.log" >&2; die "PostgreSQL did not stop"; }
}

# ---- a first start that was broken off: MLflow cannot go on with tables that are half made, so they go aside

# database VERB: whether there is one (`exists`), or its way out of the way (`aside`).
database() {
  local name
  name=mlflow-unfinished-$(date +%Y%m%d-%H%M%S)
  case $backend-$1 in
    sqlite-exists) [[ -e $data/mlflow.db ]] ;;
    sqlite-aside) mv "$data/mlflow.db" "$data/$name.db" && rm -f "$data"/mlflow.db-{wal,shm,journal} ;;
    postgresql-exists) [[ -n $(psql_do mlflow "SELECT 1 FROM pg_tables WHERE schemaname = 'public' LIMIT 1") ]] ;;
    postgresql-aside) psql_do postgres "ALTER DATABASE mlflow RENAME TO \"$name\"" && psql_do postgres "CREATE DATABASE mlflow" ;;
  esac
}

# The mark stands from before the first table until the server answers.
prepare_database() {
  if [[ -e $data/state/unfinished ]] && database exists; then
    say "the first start was broken off: what it left goes aside as mlflow-unfinished-... in $data"
    database aside
  fi
  if ! database exists; then : >"$data/state/unfinished"; fi
}

# ---- the server

# server_arguments ROOT: of `mlflow server`, with the data folder seen as ROOT.
server_arguments() {
  local root=$1 uri="sqlite:///$1/mlflow.db"
  if [[ $backend == postgresql ]]; then uri="postgresql+psycopg2://mlflow@/mlflow?host=$1/socket"; fi
  printf '%s\n' server --host 127.0.0.1 --port "$port" --workers 1 \
    --backend-store-uri "$uri" --artifacts-destination "$root/artifacts"
  if ((auth)); then printf '%s\n' --app-name basic-auth; fi
}

# server_environment ROOT: beyond what the server inherits. Without the job runner it needs 490 MB instead of 2 GB.
server_environment() {
  printf '%s\n' MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true
  if ((auth)); then
    printf '%s\n' "MLFLOW_AUTH_CONFIG_PATH=$1/auth/basic_auth.ini" "MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat "$data/auth/secret")"
  fi
}

# The account is made from the file when the server first starts; later the password is the server's alone.
prepare_auth() {
  local name=${MLFLOW_TRACKING_USERNAME-} password=${MLFLOW_TRACKING_PASSWORD-}
  [[ ! -s $data/auth/basic_auth.ini ]] || return 0
  [[ -n $name && ${#password} -ge 12 ]] ||
    die "--auth: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (12 characters and more) for its administrator"
  [[ $name$password != *[%$'\n']* ]] || die "--auth: user and password without % and line ends, please"
  (
    umask 077
    mkdir -p "$data/auth"
    head -c 32 /dev/urandom | sha256sum | cut -c1-64 >"$data/auth/secret"
    printf '[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///%s/auth/basic_auth.db\n' "$1" >"$data/auth/new"
    printf 'admin_username = %s\nadmin_password = %s\nauth_cache_ttl_seconds = 60\n' "$name" "$password" >>"$data/auth/new"
    printf 'authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n' >>"$data/auth/new"
    mv "$data/auth/new" "$data/auth/basic_auth.ini"
  )
}

start_process() {
  local venv arguments environment pid
  venv=$(venv_for scripts/mlflow/requirements.txt)
  mapfile -t arguments < <(server_arguments "$data")
  mapfile -t environment < <(server_environment "$data")
  # A session of its own: the server starts children, and ending the group ends them all.
  (
    cd "$data"
    unset MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
    export PATH="$venv/bin:$PATH" "${environment[@]}" # exported, not given to `env`: secrets stay out of argument lists
    exec setsid "$venv/bin/mlflow" "${arguments[@]}"
  ) >>"$data/logs/server.log" 2>&1 </dev/null {lock}>&- &
  pid=$!
  save server "$pid $(birth "$pid")"
}

start_container() {
  local image arguments environment options=() line
  command -v docker >/dev/null || die "--docker: no docker command here"
  docker info >/dev/null 2>&1 || die "--docker: the Docker engine does not answer (DOCKER_HOST=${DOCKER_HOST-})"
  image=tradewind-mlflow:$(cat scripts/mlflow/Dockerfile scripts/mlflow/requirements.txt | sha256sum | cut -c1-12)
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    say "building the image $image (once)"
    docker build --network host -t "$image" scripts/mlflow >"$data/logs/docker-build.log" 2>&1 </dev/null ||
      { tail -n 15 "$data/logs/docker-build.log" >&2; die "docker build failed; everything it said is in $data/logs/docker-build.log"; }
  fi
  mapfile -t arguments < <(server_arguments /data)
  while read -r line; do
    export "${line?}"
    options+=(--env "${line%%=*}")
  done < <(server_environment /data)
  docker rm -f "$(container)" >/dev/null 2>&1 || true
  docker run --detach --name "$(container)" --network host --user "$(id -u):$(id -g)" --volume "$data:/data" \
    --workdir /data "${options[@]}" "$image" "${arguments[@]}" >/dev/null
  save container "$(container)"
}

# ---- the commands

describe() { echo "MLflow runs at http://127.0.0.1:$port ($(where), $(saved backend)); data in $data"; }

do_start() {
  local begin=$SECONDS known
  if [[ -n $(where) ]]; then
    port=$(saved port)
    describe
    return
  fi
  known=$(saved backend)
  backend=${backend:-${known:-sqlite}}
  [[ -z $known || $known == "$backend" ]] || die "$data holds a $known backend; give another --data for $backend"
  if [[ -z $port ]]; then port=$(saved port) && port=${port:-5000}; fi
  port_taken && die "port $port is taken by something else; give another --port"
  if [[ $backend == postgresql ]]; then install_packages mlflow postgresql; else install_packages mlflow; fi
  save port "$port"
  save backend "$backend"
  rm -f "$data/state/server" "$data/state/container"
  trap 'do_stop >/dev/null 2>&1' EXIT
  if [[ -s $data/auth/basic_auth.ini ]]; then auth=1; fi # once protected, always
  if ((auth)); then prepare_auth "$(if ((docker)); then echo /data; else echo "$data"; fi)"; fi
  if [[ $backend == postgresql ]]; then start_postgres; fi
  prepare_database
  if ((docker)); then start_container; else start_process; fi
  local deadline=$((SECONDS + START_SECONDS_MAX))
  until get /health; do
    if [[ -z $(where) ]] || ((SECONDS > deadline)); then
      if ((docker)); then docker logs "$(container)" 2>&1 | tail -n 20 >&2; else tail -n 20 "$data/logs/server.log" >&2; fi
      die "the server did not answer on port $port (its last words are above)"
    fi
    sleep 0.3
  done
  trap - EXIT
  rm -f "$data/state/unfinished"
  describe
  echo "It took $((SECONDS - begin)) s. To use it:  export MLFLOW_TRACKING_URI=http://127.0.0.1:$port"
}

do_stop() {
  local pid began deadline
  case $(where) in
    process)
      pid=$(server_pid)
      # The group lives as long as one of its members, also when the leader has ended before its children.
      kill -TERM -- "-$pid" 2>/dev/null || true
      deadline=$((SECONDS + STOP_SECONDS_MAX))
      while kill -0 -- "-$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.2; done
      kill -KILL -- "-$pid" 2>/dev/null || true
      ;;
    container) docker stop -t "$STOP_SECONDS_MAX" "$(container)" >/dev/null ;;
    *)
      read -r pid began < <(saved server) || true
      echo "no MLflow server of this script runs on $data${pid:+ (process $pid, begun at tick $began, is gone)}"
      ;;
  esac
  if [[ -n $(saved container) ]]; then docker rm -f "$(container)" >/dev/null 2>&1 || true; fi
  rm -f "$data/state/server" "$data/state/container"
  stop_postgres
  [[ -z $(saved port) ]] || port=$(saved port)
  if [[ -n ${port-} ]] && get /health; then
    echo "note: something that this script did not start answers on port $port" >&2
  fi
}

case $command in
  start | stop)
    mkdir -p "$data/state" "$data/logs" "$data/artifacts"
    exec {lock}>"$data/state/lock"
    flock -w 180 "$lock" || die "$data: another start or stop has been going on for 3 minutes"
    "do_$command"
    ;;
  status)
    port=$(saved port)
    if [[ -z $(where) ]]; then echo "MLflow does not run on $data"; exit 3; fi
    describe
    get /health || { echo "but it does not answer"; exit 1; }
    ;;
  url)
    port=$(saved port)
    [[ -n $(where) ]] || die "MLflow does not run on $data; scripts/launch_mlflow.sh start"
    echo "http://127.0.0.1:$port"
    ;;
esac
