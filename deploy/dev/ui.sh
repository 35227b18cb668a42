# shellcheck shell=bash
# What a command says while it works: one line per step with the time it took, signs of life during
# long ones, and the end of the log when one fails.

# A step's own output goes to its log; these two still reach whoever started the command.
exec {SCREEN}>&1 {SCREEN_ERR}>&2

# A pipe that nobody writes to: reading it with a timeout sleeps without starting a process, and so
# leaves none behind when the sleeper is killed.
exec {SILENCE}<> <(:)

# Where a ticker is told to end. Not by a signal: one that comes while the shell still starts the ticker
# ends it in odd ways.
exec {TICKER_END}<> <(:)

STEP='' STEP_LOG='' STEP_OFFSET=0 STEP_BEGAN='' TICKER=''

nap() { read -rt "$1" -u "$SILENCE" || true; }

say() { printf '%s\n' "$*" >&"$SCREEN"; }

warn() { printf 'warning: %s\n' "$*" >&"$SCREEN_ERR"; }

# die MESSAGE: ends the command; the message says enough, so no log is shown.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&"$SCREEN_ERR"
  STEP_LOG=
  exit 1
}

# die_showing LOG MESSAGE: the same, with the end of another log than the step's.
die_showing() {
  show_end_of "$1" 0
  shift
  die "$@"
}

# show_end_of LOG OFFSET: what was written from OFFSET on.
show_end_of() {
  printf -- '---- end of %s\n' "$1" >&"$SCREEN_ERR"
  tail -c "+$(($2 + 1))" -- "$1" | tail -n 40 >&"$SCREEN_ERR" || true
  printf -- '----\n' >&"$SCREEN_ERR"
}

# Milliseconds since the epoch, in REPLY.
now() { REPLY=$((${EPOCHREALTIME/[.,]/} / 1000)); }

# duration MILLISECONDS: "0.4 s", "12 s" or "3 min 5 s", in REPLY.
duration() {
  local ms=$1
  if ((ms < 10000)); then
    REPLY="$((ms / 1000)).$((ms % 1000 / 100)) s"
  elif ((ms < 60000)); then
    REPLY="$((ms / 1000)) s"
  else
    REPLY="$((ms / 60000)) min $((ms % 60000 / 1000)) s"
  fi
}

# step TITLE LOG COMMAND...: runs COMMAND in this shell, its output appended to LOG. It runs in the
# foreground and unguarded: Ctrl-C reaches it, and `set -e` holds inside functions.
step() {
  STEP=$1 STEP_LOG=$2
  shift 2
  mkdir -p -- "${STEP_LOG%/*}"
  rotate "$STEP_LOG"
  STEP_OFFSET=$(stat -c %s -- "$STEP_LOG" 2>/dev/null || echo 0)
  now
  STEP_BEGAN=$REPLY
  ticker "$STEP" "$STEP_LOG" &
  TICKER=$!
  "$@" >>"$STEP_LOG" 2>&1
  step_end ok
}

# step_end WORD: prints the step's line.
step_end() {
  local title=$STEP
  stop_ticker
  STEP=
  now
  duration $((REPLY - STEP_BEGAN))
  printf '  %-6s %-24s %s\n' "$1" "$title" "$REPLY" >&"$SCREEN"
}

# Shows that a long step lives, and the last line of its log: on a terminal every second in place,
# elsewhere every 15 seconds on a line of its own.
ticker() {
  local title=$1 log=$2 interval=15 format='         %-24s %4s s  %s\n' began=$SECONDS last
  [[ -t $SCREEN ]] && interval=1 format='\r\e[K         %-24s %4s s  %s'
  while ! read -rt "$interval" -u "$TICKER_END"; do
    kill -0 $$ 2>/dev/null || return 0
    last=$(tail -n 1 -- "$log" 2>/dev/null | tr -d '\000-\037')
    # shellcheck disable=SC2059
    printf "$format" "$title" $((SECONDS - began)) "${last:0:44}" >&"$SCREEN"
  done
}

stop_ticker() {
  [[ -n $TICKER ]] || return 0
  printf '\n' >&"$TICKER_END"
  wait "$TICKER" || true
  TICKER=
  [[ ! -t $SCREEN ]] || printf '\r\e[K' >&"$SCREEN"
}

# at_exit FUNCTION: to be called when the command ends, however it ends.
at_exit() { AT_EXIT=$1; }
AT_EXIT=:

on_exit() {
  local status=$?
  stop_ticker
  "$AT_EXIT"
  [[ $status != 0 && -n $STEP ]] || return 0
  local log=$STEP_LOG
  step_end FAILED
  [[ -z $log ]] || show_end_of "$log" "$STEP_OFFSET"
}
trap on_exit EXIT
