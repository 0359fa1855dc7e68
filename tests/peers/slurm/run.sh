#!/usr/bin/env bash
# `tradewind optimize --launcher slurm` on a real Slurm with three nodes on loopback, of which one is lost in mid-array.
# TW_BINARY: the program; TW_VENV: a virtual environment with requirements.txt in it. Slurm's daemons need root here.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
if ((EUID != 0)); then
  echo "slurm: not run: the daemons of Slurm need root to start jobs" >&2
  exit 1
fi
for program in slurmctld slurmd munged sbatch; do
  command -v "$program" >/dev/null || { echo "slurm: $program is missing (packages slurm-wlm, munge)" >&2; exit 1; }
done
work="$(mktemp -d)"
chmod 755 "$work"
mkdir "$work"/{munge,state,spool,log}
chown munge:munge "$work/munge"

# Everything of this cluster, munged included, has its own files, sockets and ports, and ends with this script.
stop() {
  local file pid pids=()
  for file in "$work"/slurmd-*.pid "$work/slurmctld.pid" "$work/munge/munged.pid"; do
    if [[ -s $file ]]; then pids+=("$(cat "$file")"); fi
  done
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do timeout 10 tail --pid="$pid" -f /dev/null || true; done
  rm -rf "$work" || true # what is ending may still write
}
trap stop EXIT

nodes=3
ports="$("${TW_PYTHON:-$TW_VENV/bin/python}" - "$nodes" <<'P'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]) + 1)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
P
)"
read -r controller first second third <<<"$ports"

as_munge() { setpriv --reuid=munge --regid=munge --init-groups "$@"; }
head -c 1024 /dev/urandom >"$work/munge/key"
chown munge:munge "$work/munge/key"
chmod 400 "$work/munge/key"
(cd / && as_munge munged --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/munged.pid" \
  --log-file="$work/munge/log" --seed-file="$work/munge/seed" --num-threads=2)
chmod 755 "$work/munge"

host="$(hostname -s)"
cat >"$work/slurm.conf" <<C
ClusterName=tradewind
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
SlurmdTimeout=5
InactiveLimit=0
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_interval=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$first CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$second CPUs=1 State=UNKNOWN
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=$third CPUs=1 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF="$work/slurm.conf"
slurmctld -c
for node in n1 n2 n3; do slurmd -N "$node"; done
for _ in $(seq 240); do
  [[ $(sinfo -h -o %T -t idle 2>/dev/null; sinfo -h -o %D -t idle 2>/dev/null) == *"$nodes"* ]] && break
  sleep 0.5
done
if ! sinfo -h -t idle -o %D | grep -q "^$nodes"; then
  echo "slurm: the cluster did not come up" >&2
  sinfo >&2 || true
  tail -n 20 "$work"/log/* >&2
  exit 1
fi

HOME="$work" PYTHONPATH="$here/../common" "${TW_PYTHON:-$TW_VENV/bin/python}" "$here/check.py" "$TW_BINARY" "$work"
