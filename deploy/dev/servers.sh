#!/usr/bin/env bash
# Servers of their own, for tests: the same that ./dev starts, with their state in a directory that the
# caller chooses.
#
#   servers.sh up DIR [SERVER...]              starts what doesn't run, writes DIR/env; default: postgres rabbitmq
#   servers.sh migrate DIR                     applies all migrations
#   servers.sh start|stop|restart|kill SERVER DIR   kill is SIGKILL
#   servers.sh rabbitmqctl DIR ARGUMENT...     e.g. list_queues
#   servers.sh down DIR                        stops all and removes DIR
#
# SERVER: postgres, rabbitmq, letta (an App Server) or scripted-model (which letta's agents ask).
#
# DIR/postgres.env, where there is one, holds further NAME=VALUE lines for PostgreSQL's environment.
set -euo pipefail
umask 022

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

is_server() { [[ $1 == postgres || $1 == rabbitmq || $1 == letta || $1 == scripted-model ]]; }

ROOT=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD_DIR=$ROOT/build/release # named by what is shared with ./dev; no service is started here
COMMAND=${1:-} SERVER=
shift || usage
case $COMMAND in
  start | stop | restart | kill)
    SERVER=${1:-}
    is_server "$SERVER" || usage
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
# shellcheck source=deploy/dev/letta_install.sh
. "$HERE/letta_install.sh"
# shellcheck source=deploy/dev/letta.sh
. "$HERE/letta.sh"
# shellcheck source=deploy/dev/services.sh
. "$HERE/services.sh"

# up SERVER...: those that take long to start are launched first, and start side by side.
up() {
  local name
  (($# > 0)) || set -- postgres rabbitmq
  for name in "$@"; do is_server "$name" || usage; done
  [[ " $* " != *" postgres "* && " $* " != *" rabbitmq "* || -x $PG_BIN/postgres && -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] ||
    die "PostgreSQL or RabbitMQ is not installed: ./dev test or ./dev up installs them"
  for name in rabbitmq letta; do [[ " $* " != *" $name "* ]] || "${name}_launch"; done
  for name in "$@"; do "${name//-/_}_start"; done
  for name in "$@"; do "${name//-/_}_env_lines"; done | write_env
}

postgres_env_lines() {
  database_env_lines
  # What only an administrator may do, such as making a database per test.
  echo "GOD33_ADMIN_DATABASE_URL=postgresql://postgres:${SECRET[POSTGRES_PASSWORD]}@127.0.0.1:${PORT[POSTGRES]}/$DATABASE"
}

rabbitmq_env_lines() { bus_env_lines; }

scripted_model_env_lines() { :; }

# Nothing here is worth an orderly shutdown.
down() {
  local name
  postgres_place
  for name in letta scripted-model rabbitmq postgres epmd; do kill_server "$name"; done
  end_lost_processes
  rm -rf -- "$PG_HOME" "$RUN_DIR"
  rmdir -- "/var/lib/god33-dev/$ID" 2>/dev/null || true
}

kill_server() { stop_process "$1" 10 KILL; }

if [[ $COMMAND == down && ! -e $RUN_DIR/id ]]; then
  exit 0 # nothing was started there, and what isn't ours is not removed
fi
state_open
SETTING=() # a developer's own are not the tests'
[[ ! -f $RUN_DIR/postgres.env ]] || mapfile -t POSTGRES_ENVIRONMENT <"$RUN_DIR/postgres.env"
case $COMMAND in
  up) up "$@" ;;
  down) down ;;
  migrate) migrate ;;
  rabbitmqctl) rabbitmqctl "$@" ;;
  start) "${SERVER//-/_}_start" ;;
  stop) "${SERVER//-/_}_stop" ;;
  kill) kill_server "$SERVER" ;;
  restart)
    "${SERVER//-/_}_stop"
    "${SERVER//-/_}_start"
    ;;
esac
