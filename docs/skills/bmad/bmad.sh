#!/usr/bin/env bash
# bmad.sh PROJECT TO_AGENT TASK [CONTEXT]: takes a BMAD workflow from its start to its end: the planning phases, a
# hand-off to another agent, the wait for it, the review, the end. CONTEXT is a JSON object, or @file.
# Prints the workflow's id, then what the agent has made, then the causation from the end back to the start.
# Exit code: 0 completed; 1 the agent could not do it; otherwise that of god33.
set -euo pipefail

project=${1:?project} to=${2:?agent} task=${3:?task} context=${4:-'{}'}

workflow=$(god33 workflow start --project "$project" --from bmad-analyst)
echo "$workflow"

# A skill does the thinking of each phase here, and says in --summary what it came to.
god33 workflow phase "$workflow" analysis --next planning --from bmad-analyst >/dev/null
god33 workflow phase "$workflow" planning --next solutioning --from bmad-pm >/dev/null
god33 workflow phase "$workflow" solutioning --from bmad-architect >/dev/null

# What happens meanwhile is told on standard error; a question shows the command that answers it.
result=$(god33 workflow handoff "$workflow" --from bmad-architect --to "$to" --task "$task" --json "$context" --wait)
jq -r '.artifacts[]? | "\(.status) \(.path)"' <<<"$result"

god33 workflow validate "$workflow" --from bmad-code-reviewer >/dev/null
# The review itself is the reviewer's work.
end=$(god33 workflow complete "$workflow" --summary "$(jq -r '.summary // "done"' <<<"$result")")

god33 event ancestors "$end"
