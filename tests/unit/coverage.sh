#!/usr/bin/env bash
# coverage.sh LEAST EXECUTABLE...: runs the unit tests of domain code and says which part of its lines and
# branches they ran, by library and file. Fails when a test does, or when a library has less than LEAST
# percent of its lines run.
set -euo pipefail

LLVM=/usr/lib/llvm-14/bin
least=$1
shift
directory=$(mktemp -d)
trap 'rm -rf -- "$directory"' EXIT

# run EXECUTABLE: silently, unless it fails.
run() {
  local name=${1##*/}
  LLVM_PROFILE_FILE=$directory/$name.profraw "$1" >"$directory/$name.output" 2>&1 ||
    { cat -- "$directory/$name.output"; return 1; }
}

running=()
for executable in "$@"; do
  run "$executable" &
  running+=($!)
done
for pid in "${running[@]}"; do wait "$pid"; done
"$LLVM/llvm-profdata" merge -sparse -o "$directory/merged" "$directory"/*.profraw
"$LLVM/llvm-cov" export -summary-only -instr-profile "$directory/merged" "$1" "${@/#/-object=}" >"$directory/export"

# shellcheck disable=SC2016 # jq's variables
jq -r --argjson least "$least" '
  def percent: if .count == 0 then 100 else 100 * .covered / .count end;
  def sum(part): {count: map(part.count) | add, covered: map(part.covered) | add};
  def row(name; lines; branches): [name, (lines | .count, .count - .covered, "\(percent | floor) %"),
    (branches | .count, .count - .covered, "\(percent | floor) %")];

  [.data[0].files[] | . + (.filename | capture("(libs|services)/(?<library>[a-z_-]+)/(?<file>[^/]+)$"))]
  | group_by(.library)
  | map({library: .[0].library, lines: sum(.summary.lines), branches: sum(.summary.branches), files: .})
  | (.[] | row(.library; .lines; .branches), (.files[] | row("  " + .file; .summary.lines; .summary.branches))),
    (.[] | select(.lines | percent < $least) | ["TOO LITTLE: \(.library): less than \($least) % of its lines"])
  | @tsv' "$directory/export" >"$directory/table"

{
  printf 'library, file\tlines\tnot run\t\tbranches\tnot run\t\n'
  grep -v '^TOO LITTLE' "$directory/table"
} | column -t -s $'\t' -R 2,3,4,5,6,7
! grep '^TOO LITTLE' "$directory/table"
