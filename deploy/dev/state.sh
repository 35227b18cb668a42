# shellcheck shell=bash
# What a running set remembers, all of it in RUN_DIR: its id, passwords, ports, PID files, stamps.

STAMP_DIR=$RUN_DIR/stamp
declare -A SECRET PORT
# shellcheck disable=SC2034  # read by service_environment
declare -A SETTING

# Everything that starts, stops or changes something begins here: one command at a time per set.
state_open() {
  [[ ! $RUN_DIR =~ [^[:alnum:]/._+@,=~-] ]] ||
    die "RabbitMQ does not work in $RUN_DIR: its scripts can't stand '${BASH_REMATCH[0]}' in a path. Set GOD33_RUN_DIR to another directory"
  mkdir -p -- "$RUN_DIR" 2>/dev/null || die "can't create $RUN_DIR"
  [[ -O $RUN_DIR ]] || die "$RUN_DIR belongs to another user: run this as $(stat -c %U -- "$RUN_DIR"), or set GOD33_RUN_DIR"
  mkdir -p -- "$RUN_DIR"/{log,pid,stamp}
  lock_directory "$RUN_DIR" "another command is working on $RUN_DIR"
  # shellcheck disable=SC2034  # for who gives it up before the end
  STATE_LOCK=$REPLY
  identity_load
  secrets_load
  ports_load
  settings_load
  end_lost_processes
}

# The same for commands that only look. False when nothing was ever started here.
state_look() {
  [[ -r $RUN_DIR/id ]] || return 1
  ports_load
  settings_load
}

# lock_directory DIRECTORY WHY: until this process ends or closes the file descriptor in REPLY. The lock is
# on the directory itself: no lock file that belongs to another user or is left behind.
lock_directory() {
  exec {REPLY}<"$1"
  flock -n "$REPLY" && return
  printf '  waiting: %s\n' "$2" >&"$SCREEN_ERR"
  flock -w 1800 "$REPLY" || die "gave up after 30 minutes: $2"
}

# The id names the RabbitMQ node, and data outside of RUN_DIR. It stays when the checkout is moved; a
# copy of a checkout must not take the original's servers for its own.
identity_load() {
  local home=
  [[ ! -s $RUN_DIR/id ]] || { read -r ID && read -r home; } <"$RUN_DIR/id" || true
  [[ $home != "$RUN_DIR" ]] || return 0
  if [[ -n $home && -s $home/id && $(head -n 1 -- "$home/id") == "$ID" ]]; then
    die "$RUN_DIR is a copy of $home: remove it, and a new set is made"
  fi
  [[ -n $home ]] || ID=$(random_hex 4)
  printf '%s\n' "$ID" "$RUN_DIR" | write_file "$RUN_DIR/id"
}

random_hex() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# write_file FILE [MODE]: replaces FILE by standard input in one step, so that an interruption leaves
# the old one. A file that already has this content is left alone.
write_file() {
  local new=$1.new
  (umask 077 && cat >"$new")
  chmod "${2:-644}" "$new"
  if cmp -s -- "$new" "$1"; then rm -f -- "$new"; else mv -f -- "$new" "$1"; fi
}

# read_pairs ARRAY FILE: NAME=VALUE lines into an associative array; quotes around a value and comments
# are left out. The file is data: nothing in it is executed.
read_pairs() {
  local -n pairs=$1
  local line
  [[ -f $2 ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
    local name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]%$'\r'}
    if [[ $value =~ ^\"([^\"]*)\" || $value =~ ^\'([^\']*)\' ]]; then
      value=${BASH_REMATCH[1]}
    else
      value=${value%%[[:space:]]#*}
      value=${value%"${value##*[![:space:]]}"}
    fi
    # shellcheck disable=SC2034,SC2004  # a reference to the caller's array, with names as keys
    pairs[$name]=$value
  done <"$2"
}

# The developer's own settings: the optional .env at the top of the checkout.
settings_load() { read_pairs SETTING "$ROOT/.env"; }

secrets_load() {
  local name
  read_pairs SECRET "$RUN_DIR/secrets"
  for name in POSTGRES_PASSWORD MIGRATOR_PASSWORD WRITER_PASSWORD READER_PASSWORD RABBITMQ_PASSWORD \
    ERLANG_COOKIE JWT_SECRET; do
    [[ -n ${SECRET[$name]:-} ]] || SECRET[$name]=$(random_hex 24)
  done
  for name in "${!SECRET[@]}"; do printf '%s=%s\n' "$name" "${SECRET[$name]}"; done |
    sort | write_file "$RUN_DIR/secrets" 600
}

# ---- Ports: picked free once, remembered, and picked again only when a stranger has taken one.

# Where sets that are just starting say which ports they are about to open. A claim ends with the
# command that made it; should that be killed, it counts for two minutes.
PORT_CLAIMS=/tmp/god33-dev-ports

ports_load() { read_pairs PORT "$RUN_DIR/ports"; }

# ports_settle NAME:PREFERRED...: each NAME gets its remembered port, or the first free one from
# PREFERRED upwards. Call it for servers that don't run, just before they start.
ports_settle() {
  local wish lock
  local -A claimed=()
  mkdir -m 1777 -- "$PORT_CLAIMS" 2>/dev/null || true
  # A server that was killed may hold its port for a moment longer.
  wait_until 2 ports_free "${@%%:*}" || true
  exec {lock}<"$PORT_CLAIMS"
  flock "$lock"
  ports_claimed
  for wish in "$@"; do port_settle "${wish%%:*}" "${wish##*:}"; done
  for wish in "${!PORT[@]}"; do printf '%s=%s\n' "$wish" "${PORT[$wish]}"; done |
    sort | write_file "$RUN_DIR/ports"
  at_exit ports_unclaim
  printf '%s\n' "${PORT[@]}" >"$PORT_CLAIMS/$ID"
  exec {lock}<&-
}

# Fills the caller's `claimed` with the ports that other sets are about to open.
ports_claimed() {
  local port
  while read -r port; do claimed[$port]=1; done < <(
    find "$PORT_CLAIMS" -type f -mmin -2 ! -name "$ID" -exec cat {} + 2>/dev/null
  )
}

ports_unclaim() { rm -f -- "$PORT_CLAIMS/$ID"; }

# port_settle NAME PREFERRED: with the caller's `claimed`.
port_settle() {
  local port=${PORT[$1]:-} candidates=()
  if [[ -n $port ]]; then
    [[ -n ${claimed[$port]:-} ]] || ! port_free "$port" || return 0
    warn "port $port ($1) is taken by another process: choosing another"
    unset "PORT[$1]"
  fi
  for ((port = $2; port < $2 + 500; port++)); do
    [[ -n ${claimed[$port]:-} || " ${PORT[*]} " == *" $port "* ]] || candidates+=("$port")
  done
  PORT[$1]=$(first_free_port "${candidates[@]}")
  [[ -n ${PORT[$1]} ]] || die "no port from $2 upwards is free"
}

# first_free_port PORT...: the first that a server could open on 127.0.0.1. It tries: a look at the
# kernel's tables would miss outgoing connections that happen to use the port.
first_free_port() {
  perl -MSocket -e 'for my $port (@ARGV) {
    socket(my $server, PF_INET, SOCK_STREAM, 0) or die $!;
    setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
    next unless bind($server, pack_sockaddr_in($port, INADDR_LOOPBACK)) && listen($server, 1);
    print "$port\n";
    last;
  }' "$@"
}

port_free() { [[ -n $(first_free_port "$1") ]]; }

# ports_free NAME...: whether all of these that have a port could open it.
ports_free() {
  local name
  for name in "$@"; do [[ -z ${PORT[$name]:-} ]] || port_free "${PORT[$name]}" || return 1; done
}

# ---- Stamps: what was done with which input, so that doing it again can be left out.

# stamped NAME VALUE: whether VALUE is what was stamped last.
stamped() { [[ -f $STAMP_DIR/$1 && $(<"$STAMP_DIR/$1") == "$2" ]]; }

stamp() { printf '%s\n' "$2" | write_file "$STAMP_DIR/$1"; }
