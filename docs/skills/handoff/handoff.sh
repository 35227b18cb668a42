#!/usr/bin/env bash
# handoff.sh WORKFLOW_ID TO_AGENT TASK [CAUSE]: hands a task to another agent and follows it.
# Prints the hand-off's id, then a line for each step. Exit code: 0 completed, 1 rejected or blocked,
# otherwise that of god33.
set -euo pipefail

workflow=${1:?workflow id} to=${2:?agent} task=${3:?task} cause=${4:-}

payload=$(jq -nc --arg workflow "$workflow" --arg to "$to" --arg task "$task" \
  '{workflow_id: $workflow, from_agent: "bmad-handoff", to_agent: $to, task: $task}')
id=$(god33 event publish bmad.workflow.handoff.requested --validate strict --json "$payload" \
  ${cause:+--correlation-id "$cause"})
echo "$id"

# Published is not yet stored: its place in the log is where following begins, so no answer is missed.
position=
for _ in $(seq 100); do
  position=$(god33 event get "$id" -o json 2>/dev/null | jq -r .position) && [[ -n $position ]] && break
  sleep 0.1
done
[[ -n $position ]] || { echo "handoff.sh: the hand-off is on the bus, but not stored yet" >&2; exit 5; }

# Following ends with this script, however that ends.
exec 3< <(exec god33 event stream --workflow "$workflow" --after "$position" -o jsonl \
  --type 'agent.handoff.*' --type 'agent.letta.*')
follower=$!
trap 'kill "$follower" 2>/dev/null || true' EXIT
while read -r event <&3; do
  jq -r '"\(.timestamp) \(.event_type) \(.payload.summary // .payload.reason // "")"' <<<"$event"
  case $(jq -r .event_type <<<"$event") in
    agent.letta.task.completed) exit 0 ;;
    agent.letta.task.blocked | agent.handoff.rejected) exit 1 ;;
  esac
done
echo "handoff.sh: following has ended before the task; go on with god33 event descendants $id" >&2
exit 5
