# shellcheck shell=bash
# The services of a set: which there are, what each is told, when it counts as started.

# One line per service, in the order of starting:
# name, preferred port (gRPC; the gateway's is REST), preferred port of /metrics and /healthz, login role
# in the database, whether it talks to the bus, whether it talks to Letta.
SERVICES='
event-store-manager  50051  9101  writer  bus  -
event-store-api      50052  9102  reader  -    -
letta-bridge         50055  9105  writer  bus  letta
gateway              8080   9103  -       -    -
'

BIN=$BUILD_DIR/bin

mapfile -t SERVICE_NAMES < <(awk 'NF {print $1}' <<<"$SERVICES")

is_service() { [[ " ${SERVICE_NAMES[*]} " == *" $1 "* ]]; }

# service_row NAME: the fields of its line, in ROW.
service_row() { read -ra ROW <<<"$(grep "^$1 " <<<"$SERVICES")"; }

# variable_name event-store-api: EVENT_STORE_API, in REPLY.
variable_name() {
  REPLY=${1^^}
  REPLY=${REPLY//-/_}
}

service_addresses() {
  variable_name "$1"
  LISTEN=127.0.0.1:${PORT[$REPLY]:-} HTTP_LISTEN=127.0.0.1:${PORT[${REPLY}_HTTP]:-}
}

# What .run/env calls the address of a service's gRPC server, in REPLY.
address_variable() {
  case $1 in
    collaboration-coordinator) REPLY=GOD33_COLLABORATION_ADDR ;;
    director-service) REPLY=GOD33_DIRECTOR_ADDR ;;
    *)
      variable_name "$1"
      REPLY=GOD33_${REPLY}_ADDR
      ;;
  esac
}

# grpc_addresses: NAME=host:port of every gRPC server.
grpc_addresses() {
  local name
  for name in "${SERVICE_NAMES[@]}"; do
    [[ $name != gateway ]] || continue
    service_addresses "$name"
    address_variable "$name"
    printf '%s=%s\n' "$REPLY" "$LISTEN"
  done
}

jwt_secret() { REPLY=${SETTING[JWT_SECRET]:-${SECRET[JWT_SECRET]}}; }

# service_environment NAME: its whole environment, in ENVIRONMENT. Nothing comes from the caller's: a
# shell that has read another set's env must not turn this one to that database, nor a ~/.pgpass.
service_environment() {
  local name
  service_row "$1"
  service_addresses "$1"
  jwt_secret
  ENVIRONMENT=(PATH=/usr/local/bin:/usr/bin:/bin HOME="$RUN_DIR" LANG=C.UTF-8
    GOD33_LOG_LEVEL=info ENABLE_EVENT_REPLAY=true JWT_SECRET="$REPLY")
  if [[ ${ROW[3]} != - ]]; then
    database_url "${ROW[3]}"
    ENVIRONMENT+=(DATABASE_URL="$REPLY")
  fi
  if [[ ${ROW[4]} == bus ]]; then
    rabbitmq_url
    ENVIRONMENT+=(RABBITMQ_URL="$REPLY")
  fi
  if [[ ${ROW[5]} == letta ]]; then
    mapfile -t -O "${#ENVIRONMENT[@]}" ENVIRONMENT < <(letta_env_lines)
    ENVIRONMENT+=(GOD33_LETTA_WORKSPACE="$RUN_DIR/workspace")
  fi
  if [[ $1 == gateway ]]; then
    mapfile -t -O "${#ENVIRONMENT[@]}" ENVIRONMENT < <(grpc_addresses)
  fi
  for name in "${!SETTING[@]}"; do
    # Whom Letta asks is Letta's business.
    [[ -z ${SETTING[$name]} || $name == GOD33_LETTA_PROVIDER* ]] || ENVIRONMENT+=("$name=${SETTING[$name]}")
  done
  ENVIRONMENT+=(GOD33_LISTEN="$LISTEN" GOD33_HTTP_LISTEN="$HTTP_LISTEN")
}

# Which program in which environment a service runs: when this changes, `./dev up` restarts it.
service_fingerprint() {
  printf '%s\n' "${ENVIRONMENT[@]}" "$BIN/$1" "$(stat -c '%i %s %Y' -- "$BIN/$1")" | sort | sha256sum
}

# Ports for all services at once: the gateway must know the others' before they run.
services_settle_ports() {
  local name wishes=()
  for name in "${SERVICE_NAMES[@]}"; do
    ! running "$name" || continue
    service_row "$name"
    variable_name "$name"
    wishes+=("$REPLY:${ROW[1]}" "${REPLY}_HTTP:${ROW[2]}")
  done
  ((${#wishes[@]} == 0)) || ports_settle "${wishes[@]}"
}

# service_start NAME: until it says that it is healthy.
service_start() {
  local name=$1 log=$RUN_DIR/log/$1.log
  [[ -x $BIN/$name ]] || die "$BIN/$name is missing: ./dev build"
  service_run "$name"
  if ! running "$name"; then
    # Its port may have become some client's port since it was chosen: those are taken from the same range.
    echo "$name has ended, once more"
    services_settle_ports
    service_run "$name"
  fi
  running "$name" || die_showing "$log" "$name has ended"
  service_is_healthy "$name" || die_showing "$log" "$name runs, but is not healthy: $(service_health "$name")"
}

# service_run NAME: (re)starts it if need be, and waits until it is healthy or has ended.
service_run() {
  local name=$1 fingerprint
  service_environment "$name"
  fingerprint=$(service_fingerprint "$name")
  if running "$name" && ! stamped "$name" "$fingerprint"; then
    echo "$name: program or settings changed, restarting"
    service_stop "$name"
  fi
  if ! running "$name"; then
    spawn "$name" "${ENVIRONMENT[@]}" "$BIN/$name"
    stamp "$name" "$fingerprint"
  fi
  wait_until 30 ready_or_gone "$name" service_is_healthy "$name" || true
}

service_stop() { stop_process "$1" 20; }

services_stop() {
  local index name
  # All are asked first: they drain side by side.
  for ((index = ${#SERVICE_NAMES[@]} - 1; index >= 0; index--)); do
    name=${SERVICE_NAMES[index]}
    ! running "$name" || kill -s TERM "$PID" 2>/dev/null || true
  done
  for name in "${SERVICE_NAMES[@]}"; do service_stop "$name"; done
}

service_is_healthy() { [[ $(service_health "$1") == healthy ]]; }

# service_health NAME: "healthy", or what /healthz answered instead.
service_health() {
  local code
  service_addresses "$1"
  code=$(curl -s -o /dev/null -m 5 -w '%{http_code}' "http://$HTTP_LISTEN/healthz") || true
  case $code in
    200) echo healthy ;;
    000) echo "no answer at $HTTP_LISTEN" ;;
    *) echo "/healthz answers $code" ;;
  esac
}

# ---- .run/env, for people, tests and further replicas.

# A token for all projects and scopes, valid for ten years; the same one as long as the secret is.
token() {
  local input signature mark issued_at
  jwt_secret
  mark=$(printf %s "$REPLY" | sha256sum)
  if [[ -f $RUN_DIR/token && $(head -n 1 "$RUN_DIR/token") == "$mark" ]]; then
    tail -n 1 "$RUN_DIR/token"
    return
  fi
  issued_at=$(date +%s)
  input=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(
    printf '{"sub":"dev","iss":"god33-dev","aud":"god33","projects":["*"],"scopes":["*"],"iat":%d,"exp":%d}' \
      "$issued_at" $((issued_at + 10 * 365 * 86400)) | base64url
  )
  signature=$(printf %s "$input" | openssl dgst -sha256 -hmac "$REPLY" -binary | base64url)
  printf '%s\n' "$mark" "$input.$signature" | write_file "$RUN_DIR/token" 600
  printf '%s\n' "$input.$signature"
}

base64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }

# env_lines: NAME=value of .run/env.
env_lines() {
  local name
  echo "GOD33_BIN=$BIN"
  echo "GOD33_GATEWAY_URL=http://127.0.0.1:${PORT[GATEWAY]}"
  echo "GOD33_TOKEN=$(token)"
  grpc_addresses
  for name in "${SERVICE_NAMES[@]}"; do
    service_addresses "$name"
    variable_name "$name"
    echo "GOD33_${REPLY}_HTTP_ADDR=$HTTP_LISTEN"
  done
  bus_env_lines
  database_env_lines
  letta_env_lines
}

bus_env_lines() {
  rabbitmq_url
  echo "RABBITMQ_URL=$REPLY"
  rabbitmq_management_url
  echo "GOD33_RABBITMQ_MANAGEMENT_URL=$REPLY"
}

letta_env_lines() {
  letta_url
  echo "LETTA_SERVER_URL=$REPLY"
  letta_model
  echo "GOD33_LETTA_MODEL=$REPLY"
}

database_env_lines() {
  database_url writer
  echo "DATABASE_URL=$REPLY"
  database_url reader
  echo "GOD33_READER_DATABASE_URL=$REPLY"
  database_url migrator
  echo "GOD33_MIGRATOR_DATABASE_URL=$REPLY"
}

# write_env: NAME=value lines into .run/env. Values are quoted, since a checkout's path may hold anything.
write_env() {
  sed "s/'/'\\\\''/g; s/=/='/; s/^/export /; s/\$/'/" | write_file "$RUN_DIR/env" 600
}
