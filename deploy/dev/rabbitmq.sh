# shellcheck shell=bash
# The private RabbitMQ of a set: own node name, ports, directories, cookie and port mapper (epmd), all
# on 127.0.0.1.

RABBIT_HOME=$RUN_DIR/rabbitmq
RABBIT_PLUGINS=(rabbitmq_management rabbitmq_prometheus)

# Erlang finds a module by trying every directory of its path, and each plugin is one. Without the
# plugins that stay off, the node starts in half the time.
RABBIT_PLUGINS_SEEN=(rabbitmq_prelaunch rabbitmq_management rabbitmq_management_agent
  rabbitmq_web_dispatch rabbitmq_prometheus)

# Starts it without waiting: it takes seconds in which other servers can start.
rabbitmq_launch() {
  [[ -d $RABBIT_HOME ]] || mkdir -m 700 -- "$RABBIT_HOME"
  epmd_start
  ! running rabbitmq || return 0
  rabbitmq_check_data
  ports_settle RABBITMQ:5672 RABBITMQ_MANAGEMENT:15672 RABBITMQ_PROMETHEUS:15692 RABBITMQ_DIST:25672
  rabbitmq_configure
  rabbitmq_environment
  spawn rabbitmq "${RABBIT_ENVIRONMENT[@]}" "$RABBIT_HOME/server/sbin/rabbitmq-server"
}

rabbitmq_start() {
  rabbitmq_launch
  rabbitmq_wait
}

rabbitmq_wait() {
  wait_until 120 ready_or_gone rabbitmq rabbitmq_is_ready || true
  rabbitmq_is_ready || die_showing "$RUN_DIR/log/rabbitmq.log" "RabbitMQ does not start"
  [[ -f $RABBIT_HOME/complete ]] || write_file "$RABBIT_HOME/complete" <<<"$RABBIT_HOME"
}

# A first start that was interrupted may leave a half-made database, and nothing of value in it. A whole
# one knows its own path: moved, its quorum queues don't work.
rabbitmq_check_data() {
  if [[ ! -f $RABBIT_HOME/complete ]]; then
    rm -rf -- "$RABBIT_HOME/mnesia"
  elif [[ $(<"$RABBIT_HOME/complete") != "$RABBIT_HOME" ]]; then
    die "RabbitMQ's data can't be moved, and was: from $(<"$RABBIT_HOME/complete") to $RABBIT_HOME.
Move it back, or remove $RABBIT_HOME and lose what is in its queues (stored events stay)"
  fi
}

# The listener opens last of all, so an open port means a node that is completely up.
rabbitmq_is_ready() { running rabbitmq && port_open "${PORT[RABBITMQ]}"; }

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

rabbitmq_configure() {
  local plugins
  rabbitmq_view
  printf -v plugins '%s,' "${RABBIT_PLUGINS[@]}"
  write_file "$RABBIT_HOME/enabled_plugins" <<<"[${plugins%,}]."
  write_file "$RABBIT_HOME/.erlang.cookie" 400 < <(printf %s "${SECRET[ERLANG_COOKIE]}")
  # localhost is what the node is called; that must not depend on this machine's resolver.
  write_file "$RABBIT_HOME/inetrc" <<<'{host, {127,0,0,1}, ["localhost"]}. {lookup, [file, native]}.'
  write_file "$RABBIT_HOME/rabbitmq.conf" 600 <<END
# Written by ./dev at each start of the node.
listeners.tcp.1 = 127.0.0.1:${PORT[RABBITMQ]}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${PORT[RABBITMQ_MANAGEMENT]}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = ${PORT[RABBITMQ_PROMETHEUS]}
# Made with the vhost / when the node starts for the first time.
default_user = god33
default_pass = ${SECRET[RABBITMQ_PASSWORD]}
# Below this, publishers are blocked. The default suits servers, not a laptop's nearly full disk.
disk_free_limit.absolute = 100MB
log.console = true
log.console.level = info
log.file = false
END
}

# The installed server, seen by links, with only the plugins that can be of use.
rabbitmq_view() {
  local installed view=$RABBIT_HOME/server path name
  installed=$(realpath -- /usr/lib/rabbitmq/bin/rabbitmq-server)
  installed=${installed%/sbin/*}
  rm -rf -- "$view"
  mkdir -p -- "$view/plugins"
  ln -s -- "$installed/sbin" "$installed/escript" "$view"
  for path in "$installed"/plugins/*; do
    name=${path##*/}
    if [[ $name != rabbitmq_* || " ${RABBIT_PLUGINS_SEEN[*]} " == *" ${name%-*} "* ]]; then
      ln -s -- "$path" "$view/plugins"
    fi
  done
}

rabbitmq_environment() {
  RABBIT_ENVIRONMENT=(
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
    HOME="$RABBIT_HOME"
    ERL_INETRC="$RABBIT_HOME/inetrc"
    ERL_EPMD_PORT="${PORT[EPMD]}" ERL_EPMD_ADDRESS=127.0.0.1
    RABBITMQ_CONF_ENV_FILE=/dev/null # nothing of the system's /etc/rabbitmq
    RABBITMQ_NODENAME="god33-$ID@localhost"
    RABBITMQ_DIST_PORT="${PORT[RABBITMQ_DIST]}"
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    RABBITMQ_CONFIG_FILE="$RABBIT_HOME/rabbitmq.conf"
    RABBITMQ_ADVANCED_CONFIG_FILE="$RABBIT_HOME/advanced.config"
    RABBITMQ_ENABLED_PLUGINS_FILE="$RABBIT_HOME/enabled_plugins"
    RABBITMQ_PLUGINS_DIR="$RABBIT_HOME/server/plugins"
    RABBITMQ_PLUGINS_EXPAND_DIR="$RABBIT_HOME/plugins-expanded"
    RABBITMQ_GENERATED_CONFIG_DIR="$RABBIT_HOME/config"
    RABBITMQ_MNESIA_BASE="$RABBIT_HOME/mnesia"
    RABBITMQ_LOG_BASE="$RABBIT_HOME/log" RABBITMQ_LOGS=-
    # The start script becomes the node then instead of being its parent: one pid, and SIGTERM stops it.
    RUNNING_UNDER_SYSTEMD=true
  )
}

# rabbitmqctl ARGUMENT...: the node's own command line tool.
rabbitmqctl() {
  rabbitmq_environment
  env -i "${RABBIT_ENVIRONMENT[@]}" "$RABBIT_HOME/server/sbin/rabbitmqctl" "$@"
}

rabbitmq_url() { REPLY="amqp://god33:${SECRET[RABBITMQ_PASSWORD]}@127.0.0.1:${PORT[RABBITMQ]}"; }

rabbitmq_management_url() {
  REPLY="http://god33:${SECRET[RABBITMQ_PASSWORD]}@127.0.0.1:${PORT[RABBITMQ_MANAGEMENT]}"
}

# Ends connections and writes out queues; RabbitMQ itself waits for 5 seconds in the course of it.
rabbitmq_stop() { stop_process rabbitmq 60; }

# ---- epmd tells Erlang nodes each other's ports. A node starts one if there is none, and that would
# stay for ever; so each set has its own.

epmd_start() {
  ! running epmd || return 0
  # A running node goes on asking at the port it was started with.
  running rabbitmq || ports_settle EPMD:4370
  spawn epmd PATH=/usr/bin:/bin HOME="$RABBIT_HOME" \
    epmd -port "${PORT[EPMD]}" -address 127.0.0.1
  wait_until 10 ready_or_gone epmd port_open "${PORT[EPMD]}" || true
  running epmd || die_showing "$RUN_DIR/log/epmd.log" "epmd does not start"
}

epmd_stop() { stop_process epmd 5; }
