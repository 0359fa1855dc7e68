# shellcheck shell=bash
# A PostgreSQL cluster of one's own, in a temporary folder and reached by its socket only; sourced, not run.

# PostgreSQL refuses to run as root; its own account does it then.
as_postgres() { if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }

pg_bin() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1; }

# start_cluster FOLDER DATABASE...: FOLDER is empty and can be reached by the account postgres.
start_cluster() {
  local folder=$1 bin name
  shift
  bin=$(pg_bin)
  if ((EUID == 0)); then chown postgres:postgres "$folder"; fi
  if ! (cd / && as_postgres "$bin/initdb" -D "$folder/data" -U tw --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync &&
    as_postgres "$bin/pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/log" \
      -o "-c listen_addresses= -c unix_socket_directories='$folder' -c max_connections=60" start) \
    >"$folder/start.log" 2>&1; then
    cat "$folder/start.log" "$folder/log" >&2 || true
    return 1
  fi
  for name in "$@"; do
    psql -qX -h "$folder" -U tw -d postgres -c "CREATE DATABASE $name"
  done
}

stop_cluster() {
  if [[ -s $1/data/postmaster.pid ]]; then
    (cd / && as_postgres "$(pg_bin)/pg_ctl" -D "$1/data" -m immediate stop >/dev/null) || true
  fi
}

# restart_command FOLDER: one line that kills the server, as a crash would, and starts it again.
restart_command() {
  local words=()
  if ((EUID == 0)); then words=(setpriv --reuid=postgres --regid=postgres --init-groups); fi
  echo "${words[*]} $(pg_bin)/pg_ctl -D $1/data -m immediate -w -t 60 -l $1/log restart"
}

# cluster_url FOLDER DATABASE
cluster_url() { echo "postgresql+psycopg2://tw@/$2?host=$1"; }
