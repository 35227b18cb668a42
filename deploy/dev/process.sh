# shellcheck shell=bash
# Processes that outlive the command that started them. A PID file holds pid, start time and boot id:
# together they name one process for ever, so that a recycled pid is neither mistaken nor killed.

LOG_LIMIT=$((64 << 20))

BOOT_ID=-
[[ ! -r /proc/sys/kernel/random/boot_id ]] || read -r BOOT_ID </proc/sys/kernel/random/boot_id

pid_file() { REPLY=$RUN_DIR/pid/$1; }

log_file() { REPLY=$RUN_DIR/log/$1.log; }

# identify PID: sets REPLY to the process's identity; fails when it is gone or a zombie.
identify() {
  local stat fields
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }" # the name before it may contain anything
  [[ ${fields[0]} != [ZX] ]] || return 1
  REPLY="$1 ${fields[19]} $BOOT_ID"
}

# running NAME: whether the process in NAME's PID file lives; then PID is its pid.
running() {
  local recorded
  pid_file "$1"
  { read -r recorded <"$REPLY"; } 2>/dev/null || return 1
  PID=${recorded%% *}
  identify "$PID" && [[ $REPLY == "$recorded" ]]
}

# record NAME PID: writes the PID file.
record() {
  local file
  pid_file "$1"
  file=$REPLY
  identify "$2" && printf '%s\n' "$REPLY" >"$file.new" && mv -- "$file.new" "$file"
}

# spawn NAME [VARIABLE=VALUE]... COMMAND...: starts a process of a session of its own with exactly this
# environment. It writes the PID file itself, before it becomes COMMAND: whatever happens to us, no
# process runs that isn't recorded. Variables are exported, not given to env(1): arguments are public.
spawn() {
  local name=$1 log child
  shift
  log_file "$name"
  log=$REPLY
  rotate "$log"
  (
    record "$name" "$BASHPID"
    while read -r inherited; do unset "$inherited"; done < <(compgen -e)
    while [[ $1 == [A-Za-z_]*=* ]]; do
      export "${1?}"
      shift
    done
    export GOD33_SET=$RUN_DIR
    cd /
    # Locks, pipes of whoever waits for our output: nothing of that may live on in a server.
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || exec {fd}>&-
    done
    # Bash starts background processes with SIGINT ignored.
    exec /usr/bin/setsid /usr/bin/env --default-signal=INT,QUIT "$@" </dev/null >>"$log" 2>&1
  ) &
  child=$!
  disown # a server that is killed later, as in the demo, is nothing for this shell to report
  until running "$name" || ! identify "$child"; do nap 0.01; done
}

# lost_processes: pids of this set's servers that no PID file names and no other of them started: what is
# left when RUN_DIR is deleted under a running set, backends whose postmaster was killed, the epmd that a
# RabbitMQ node starts when ours is gone.
lost_processes() {
  local -A marked=() recorded=()
  local file pid name stat fields
  while IFS=/ read -r _ _ pid _; do
    # In a container or chroot the same path is another directory.
    [[ ! /proc/$pid/root/. -ef /. ]] || marked[$pid]=1
  done < <(grep -lzxsF "GOD33_SET=$RUN_DIR" /proc/[0-9]*/environ)
  ((${#marked[@]} > 0)) || return 0
  for file in "$RUN_DIR"/pid/*; do
    name=${file##*/}
    ! running "$name" || recorded[$PID]=1
  done
  for pid in "${!marked[@]}"; do
    { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || continue
    read -ra fields <<<"${stat##*) }"
    [[ -n ${recorded[$pid]:-} || -n ${marked[${fields[1]}]:-} ]] || echo "$pid"
  done
}

end_lost_processes() {
  local signal=TERM attempt lost
  for ((attempt = 0; attempt < 100; attempt++)); do
    mapfile -t lost < <(lost_processes)
    ((${#lost[@]} > 0)) || return 0
    ((attempt < 50)) || signal=KILL
    kill -s "$signal" "${lost[@]}" 2>/dev/null || true
    nap 0.1
  done
  die "these processes of $RUN_DIR can't be ended: ${lost[*]}"
}

rotate() {
  local size
  size=$(stat -c %s -- "$1" 2>/dev/null) || return 0
  ((size < LOG_LIMIT)) || mv -- "$1" "$1.1"
}

# wait_until SECONDS COMMAND...: true as soon as COMMAND is, false after SECONDS.
wait_until() {
  local deadline
  now
  deadline=$((REPLY + $1 * 1000))
  shift
  until "$@"; do
    now
    ((REPLY < deadline)) || return 1
    nap 0.05
  done
}

gone() { ! running "$1"; }

# ready_or_gone NAME COMMAND...: for wait_until; ends the wait also when the process dies.
ready_or_gone() { gone "$1" || "${@:2}"; }

# stop_process NAME SECONDS [SIGNAL]: asks, waits, then insists.
stop_process() {
  local name=$1 seconds=$2 signal=${3:-TERM}
  if running "$name"; then
    kill -s "$signal" "$PID" 2>/dev/null || true
    kill -s CONT "$PID" 2>/dev/null || true # one that is stopped could not obey
    if ! wait_until "$seconds" gone "$name"; then
      warn "$name (pid $PID) did not stop within $seconds s: killing it"
      kill -s KILL "$PID" 2>/dev/null || true
      wait_until 10 gone "$name" || die "$name (pid $PID) can't be killed"
    fi
  fi
  pid_file "$name"
  rm -f -- "$REPLY"
}
