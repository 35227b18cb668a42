# shellcheck shell=bash
# The private PostgreSQL of a set: TCP on 127.0.0.1 with passwords, no Unix socket that others could
# reach, durable as in production.

PG_BIN=/usr/lib/postgresql/15/bin
DATABASE=event_store

# Further environment of the server, as NAME=VALUE: tests give it a clock that can be set.
POSTGRES_ENVIRONMENT=()

# PostgreSQL refuses to run as root; as a normal user it runs as that user.
AS_POSTGRES=()
((EUID != 0)) || AS_POSTGRES=(/usr/bin/setpriv --reuid=postgres --regid=postgres --init-groups --)

postgres_start() {
  postgres_place
  if ! running postgres; then
    [[ -f $PG_HOME/data/PG_VERSION ]] || postgres_init
    postgres_clear_lock
    ports_settle POSTGRES:15432
    postgres_configure
    postgres_spawn
  fi
  wait_until 120 ready_or_gone postgres postgres_is_ready || true
  postgres_is_ready || die_showing "$RUN_DIR/log/postgres.log" "PostgreSQL does not start"
  postgres_bootstrap
}

# Sets PG_HOME. Root's own directories are closed to the user postgres: then the data is elsewhere, with
# a link to it.
postgres_place() {
  local elsewhere=/var/lib/god33-dev/$ID/postgres
  PG_HOME=$RUN_DIR/postgres
  if ((EUID != 0)); then
    [[ -d $PG_HOME ]] || mkdir -m 700 -- "$PG_HOME"
  elif [[ -L $PG_HOME ]]; then
    elsewhere=$(readlink -- "$PG_HOME")
    [[ -d $elsewhere ]] || postgres_make_place "$elsewhere"
    PG_HOME=$elsewhere
  elif "${AS_POSTGRES[@]}" test -x "$RUN_DIR"; then
    [[ -d $PG_HOME ]] || postgres_make_place "$PG_HOME"
  else
    mkdir -p -- "${elsewhere%/*}"
    if [[ -d $PG_HOME ]]; then mv -- "$PG_HOME" "$elsewhere"; else postgres_make_place "$elsewhere"; fi
    ln -s -- "$elsewhere" "$PG_HOME"
    PG_HOME=$elsewhere
  fi
}

postgres_make_place() {
  mkdir -p -- "${1%/*}"
  install -d -o postgres -g postgres -m 700 -- "$1"
}

# The data directory appears under its name only when it is complete.
postgres_init() {
  local password_file=$PG_HOME/password log=$RUN_DIR/log/postgres.log
  rm -rf -- "$PG_HOME/data.new"
  "${AS_POSTGRES[@]}" install -m 600 /dev/null "$password_file"
  printf '%s\n' "${SECRET[POSTGRES_PASSWORD]}" >"$password_file"
  (cd / && "${AS_POSTGRES[@]}" "$PG_BIN/initdb" -D "$PG_HOME/data.new" --username=postgres \
    --pwfile="$password_file" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    --no-instructions) >>"$log" 2>&1 || die_showing "$log" "initdb failed"
  rm -f -- "$password_file"
  mv -- "$PG_HOME/data.new" "$PG_HOME/data"
}

# Written at each start, so that a change here reaches data that exists.
postgres_configure() {
  write_file "$PG_HOME/postgresql.conf" <<END
# Written by ./dev at each start of the server; ALTER SYSTEM overrides it.

# What initdb found to work on this machine, such as the kind of shared memory.
include 'data/postgresql.conf'

listen_addresses = '127.0.0.1'
port = ${PORT[POSTGRES]}
unix_socket_directories = ''
cluster_name = 'god33-$ID'
max_connections = 200

# No event that was acknowledged may be lost, here as in production.
fsync = on
synchronous_commit = on
full_page_writes = on

shared_buffers = 256MB
effective_cache_size = 1GB
max_wal_size = 2GB
wal_compression = lz4
random_page_cost = 1.1
# Planned with it, walks along causation edges are many times slower.
jit = off

password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u %a '
log_lock_waits = on
log_min_duration_statement = 1s
END
}

postgres_spawn() {
  spawn postgres PATH=/usr/bin:/bin LANG=C.UTF-8 "${AS_POSTGRES[@]}" \
    /usr/bin/env "${POSTGRES_ENVIRONMENT[@]}" "$PG_BIN/postgres" -D "$PG_HOME/data" -c "config_file=$PG_HOME/postgresql.conf"
}

# The server itself says so in the last line of its own lock file; no connection needed, and no other
# server on that port can be taken for it.
postgres_is_ready() {
  local lines
  running postgres || return 1
  mapfile -t lines 2>/dev/null <"$PG_HOME/data/postmaster.pid" || return 1
  [[ ${lines[0]:-} == "$PID" && ${lines[7]:-} == ready* ]]
}

# A postmaster.pid whose pid has meanwhile gone to some other process would stop the server from starting.
postgres_clear_lock() {
  local lock=$PG_HOME/data/postmaster.pid pid
  [[ -f $lock ]] || return 0
  read -r pid <"$lock"
  if [[ $(readlink -- "/proc/$pid/cwd") == "$(realpath -- "$PG_HOME/data")" ]]; then
    die "another PostgreSQL (pid $pid) that was not started here works on $PG_HOME/data"
  fi
  [[ ! -d /proc/$pid ]] || rm -f -- "$lock"
}

# Roles and database, once per data directory and whenever bootstrap.sql or a password changed.
postgres_bootstrap() {
  local script=$ROOT/migrations/bootstrap.sql role input done_with
  input=$(
    for role in migrator writer reader; do
      printf "\\set %s_password '%s'\n" "$role" "${SECRET[${role^^}_PASSWORD]}"
    done
    cat -- "$script"
  )
  done_with=$(printf '%s\n' "$input" | sha256sum)$(stat -c %i.%W -- "$PG_HOME/data/PG_VERSION")
  ! stamped bootstrap "$done_with" || return 0
  postgres_admin postgres <<<"$input" # not as a file: arguments and files would show the passwords
  stamp bootstrap "$done_with"
}

# postgres_admin DATABASE ARGUMENT...: psql as superuser, for what only an administrator may do.
postgres_admin() {
  PGPASSWORD=${SECRET[POSTGRES_PASSWORD]} "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 \
    -p "${PORT[POSTGRES]}" -U postgres -d "$@"
}

# database_url ROLE: of the login role god33_ROLE, in REPLY.
database_url() {
  REPLY="postgresql://god33_$1:${SECRET[${1^^}_PASSWORD]}@127.0.0.1:${PORT[POSTGRES]}/$DATABASE"
}

# SIGINT is PostgreSQL's fast shutdown: it ends sessions and writes a checkpoint.
postgres_stop() { stop_process postgres 60 INT; }

# migrations COMMAND...: dbmate as the role that owns the schema. Not in ROOT: it would read our .env.
migrations() {
  local dbmate=("$ROOT"/node_modules/@dbmate/*/bin/dbmate)
  database_url migrator
  (cd "$RUN_DIR" && DATABASE_URL="$REPLY?sslmode=disable" "${dbmate[0]}" \
    --no-dump-schema --migrations-dir "$ROOT/migrations" --wait "$@")
}

migrate() { migrations migrate; }
