#!/usr/bin/env bash
# The servers of the integration tests, as CTest's fixture uses them.
#
#   servers.sh up DIR               starts PostgreSQL and RabbitMQ and migrates the template database
#   servers.sh run DIR COMMAND...   runs a test with their addresses in its environment
#   servers.sh down DIR             stops both and removes DIR
set -euo pipefail
servers=$(dirname -- "${BASH_SOURCE[0]}")/../../deploy/dev/servers.sh
action=$1 dir=$2
shift 2
case $action in
  up)
    "$servers" down "$dir" # what an interrupted run has left
    "$servers" up "$dir"
    "$servers" migrate "$dir"
    ;;
  run)
    # shellcheck disable=SC1091 # written by `up`
    . "$dir/env"
    exec "$@"
    ;;
  down) "$servers" down "$dir" ;;
  *) exit 2 ;;
esac
