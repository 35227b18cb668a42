# shellcheck shell=bash
# The Letta App Server of a set, on 127.0.0.1, with its agents in RUN_DIR/letta, and the model that they ask:
# by default one that follows scripts (scripted_model.mjs), a real one where .env names its provider.

LETTA_STATE_DIR=$RUN_DIR/letta

# Starts it without waiting: other servers can start meanwhile.
letta_launch() {
  letta_is_installed || die "the Letta App Server is not installed: ./dev up or ./dev test installs it"
  [[ -d $LETTA_STATE_DIR ]] || mkdir -m 700 -- "$LETTA_STATE_DIR"
  ! running letta || return 0
  ports_settle LETTA:4500
  # It ends by itself when who started it does, unless that was init: so that's what it is told. Not in /,
  # where it would look for a project.
  spawn letta PATH="${LETTA_NODE%/*}:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 HOME="$LETTA_STATE_DIR" \
    LETTA_LOCAL_BACKEND_DIR="$LETTA_STATE_DIR/backend" LETTA_CODE_OFFLINE=1 LETTA_CODE_TELEM=0 DO_NOT_TRACK=1 \
    /usr/bin/env -C "$LETTA_STATE_DIR" "$LETTA_NODE" \
    --import 'data:text/javascript,delete process.ppid;process.ppid=1' \
    "$LETTA_PROGRAM/package/letta.js" server --backend local --listen "ws://127.0.0.1:${PORT[LETTA]}"
}

letta_start() {
  letta_launch
  letta_wait
}

letta_wait() {
  wait_until 120 ready_or_gone letta letta_is_ready || true
  letta_is_ready || die_showing "$RUN_DIR/log/letta.log" "the Letta App Server does not start"
  letta_connect
}

letta_is_ready() { running letta && curl -sf -o /dev/null -m 5 "http://127.0.0.1:${PORT[LETTA]}/readyz"; }

# Turns that are under way end with it; what it has stored stays.
letta_stop() { stop_process letta 20; }

letta_url() { REPLY=ws://127.0.0.1:${PORT[LETTA]:-}; }

# ---- The model

# What agents of the set are made with, in REPLY.
letta_model() { REPLY=${SETTING[GOD33_LETTA_MODEL]:-openai-compatible/scripted}; }

# Tells the running server whom to ask. It remembers that; asked again with the same it changes nothing.
letta_connect() {
  local provider=${SETTING[GOD33_LETTA_PROVIDER]:-} url=${SETTING[GOD33_LETTA_PROVIDER_URL]:-}
  local key=${SETTING[GOD33_LETTA_PROVIDER_KEY]:-} settings how=connect
  if [[ -z $provider ]]; then
    [[ -n ${PORT[SCRIPTED_MODEL]:-} ]] || ports_settle SCRIPTED_MODEL:4600
    provider=openai-compatible url=http://127.0.0.1:${PORT[SCRIPTED_MODEL]}/v1 key=none
  fi
  settings=$(printf '%s\n' "$provider" "$url" "$key" | sha256sum)
  letta_url
  if stamped letta-provider "$settings"; then how=keep; else rm -f -- "$STAMP_DIR/letta-provider"; fi
  # The key goes through the environment: arguments are public.
  LETTA_SERVER_URL=$REPLY PROVIDER=$provider PROVIDER_URL=$url PROVIDER_KEY=$key \
    "$LETTA_NODE" "$ROOT/deploy/dev/letta_provider.mjs" "$how"
  stamp letta-provider "$settings"
}

# ---- The model that follows scripts, a server of the set as long as .env names no other.

scripted_model_is_used() { [[ -z ${SETTING[GOD33_LETTA_PROVIDER]:-} ]]; }

scripted_model_start() {
  if ! scripted_model_is_used; then
    scripted_model_stop
    return
  fi
  letta_is_installed || die "the Letta App Server is not installed: ./dev up or ./dev test installs it"
  if ! running scripted-model; then
    ports_settle SCRIPTED_MODEL:4600
    spawn scripted-model PATH=/usr/bin:/bin LANG=C.UTF-8 \
      "$LETTA_NODE" "$ROOT/deploy/dev/scripted_model.mjs" "${PORT[SCRIPTED_MODEL]}"
  fi
  wait_until 30 ready_or_gone scripted-model scripted_model_is_ready || true
  scripted_model_is_ready || die_showing "$RUN_DIR/log/scripted-model.log" "the scripted model does not start"
  # It may have had to choose another port.
  ! letta_is_ready || letta_connect
}

scripted_model_is_ready() {
  running scripted-model && curl -sf -o /dev/null -m 5 "http://127.0.0.1:${PORT[SCRIPTED_MODEL]}/v1/models"
}

scripted_model_stop() { stop_process scripted-model 5; }
