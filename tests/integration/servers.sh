#!/usr/bin/env bash
# The servers of the integration tests, as CTest's fixture uses them.
#
#   servers.sh up DIR               starts PostgreSQL and RabbitMQ and migrates the template database
#   servers.sh run DIR COMMAND...   runs a test with their addresses in its environment
#   servers.sh down DIR             stops both, and what tests have started, and removes DIR
set -euo pipefail
servers=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../../deploy/dev/servers.sh")
action=$1 dir=$2
shift 2

# Servers of a test's own are in DIR/letta; one that was killed has left them.
down() {
  local own
  for own in "$dir"/letta/*/; do
    [[ ! -d $own ]] || "$servers" down "$own"
  done
  "$servers" down "$dir"
}

case $action in
  up)
    down # what an interrupted run has left
    "$servers" up "$dir"
    "$servers" migrate "$dir"
    ;;
  run)
    # shellcheck disable=SC1091 # written by `up`
    . "$dir/env"
    # Those start servers of their own with it (libs/testing/servers.h).
    export GOD33_TEST_SERVERS=$servers GOD33_TEST_SERVERS_DIR=$dir
    exec "$@"
    ;;
  down) down ;;
  *) exit 2 ;;
esac
