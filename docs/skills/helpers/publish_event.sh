# shellcheck shell=bash
# To be sourced by Bash scripts: publish_event TYPE PAYLOAD [CAUSE...]
# Publishes an event on Bloodbank and prints its id. PAYLOAD is a JSON object, @file or - for standard input; each CAUSE
# is the id of an event that led to it. Returns god33's exit code: 0 once the broker has it.
publish_event() {
  local type=${1:?event type} payload=${2:?payload} causes=() cause
  shift 2
  for cause; do causes+=(--correlation-id "$cause"); done
  god33 event publish "$type" --json "$payload" --source-type agent --source-app bmad "${causes[@]}"
}
