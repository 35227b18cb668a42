#!/usr/bin/env bash
# PostgreSQL and RabbitMQ of their own, for tests: the same servers that ./dev starts, with their state
# in a directory that the caller chooses.
#
#   servers.sh up DIR                          starts what doesn't run, writes DIR/env
#   servers.sh migrate DIR                     applies all migrations
#   servers.sh start|stop|restart|kill SERVER DIR   SERVER: postgres or rabbitmq; kill is SIGKILL
#   servers.sh rabbitmqctl DIR ARGUMENT...     e.g. list_queues
#   servers.sh down DIR                        stops both and removes DIR
#
# DIR/postgres.env, where there is one, holds further NAME=VALUE lines for PostgreSQL's environment.
set -euo pipefail
umask 022

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

ROOT=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD_DIR=$ROOT/build/release # named by what is shared with ./dev; no service is started here
COMMAND=${1:-} SERVER=
shift || usage
case $COMMAND in
  start | stop | restart | kill)
    SERVER=${1:-}
    [[ $SERVER == postgres || $SERVER == rabbitmq ]] || usage
    shift
    ;;
  up | down | migrate | rabbitmqctl) ;;
  *) usage ;;
esac
[[ -n ${1:-} ]] || usage
RUN_DIR=$(realpath -m -- "$1")
shift

HERE=$ROOT/deploy/dev
# shellcheck source=deploy/dev/ui.sh
. "$HERE/ui.sh"
# shellcheck source=deploy/dev/process.sh
. "$HERE/process.sh"
# shellcheck source=deploy/dev/state.sh
. "$HERE/state.sh"
# shellcheck source=deploy/dev/postgres.sh
. "$HERE/postgres.sh"
# shellcheck source=deploy/dev/rabbitmq.sh
. "$HERE/rabbitmq.sh"
# shellcheck source=deploy/dev/services.sh
. "$HERE/services.sh"

up() {
  [[ -x $PG_BIN/postgres && -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] ||
    die "PostgreSQL or RabbitMQ is not installed: ./dev test or ./dev up installs them"
  rabbitmq_launch
  postgres_start
  rabbitmq_wait
  {
    server_env_lines
    # What only an administrator may do, such as making a database per test.
    echo "GOD33_ADMIN_DATABASE_URL=postgresql://postgres:${SECRET[POSTGRES_PASSWORD]}@127.0.0.1:${PORT[POSTGRES]}/$DATABASE"
  } | write_env
}

# Nothing here is worth an orderly shutdown.
down() {
  local name
  postgres_place
  for name in rabbitmq postgres epmd; do kill_server "$name"; done
  end_lost_processes
  rm -rf -- "$PG_HOME" "$RUN_DIR"
  rmdir -- "/var/lib/god33-dev/$ID" 2>/dev/null || true
}

kill_server() { stop_process "$1" 10 KILL; }

if [[ $COMMAND == down && ! -e $RUN_DIR/id ]]; then
  exit 0 # nothing was started there, and what isn't ours is not removed
fi
state_open
[[ ! -f $RUN_DIR/postgres.env ]] || mapfile -t POSTGRES_ENVIRONMENT <"$RUN_DIR/postgres.env"
case $COMMAND in
  up) up ;;
  down) down ;;
  migrate) migrate ;;
  rabbitmqctl) rabbitmqctl "$@" ;;
  start) "${SERVER}_start" ;;
  stop) "${SERVER}_stop" ;;
  kill) kill_server "$SERVER" ;;
  restart)
    "${SERVER}_stop"
    "${SERVER}_start"
    ;;
esac
