#!/usr/bin/env bash
# run.sh EXECUTABLE [SECONDS [CORPUS]]: one fuzz target: its corpus in the tree, then new inputs for SECONDS
# (default 10). Those that reach new code stay in the directory CORPUS, where a later run goes on; without
# one they are forgotten. What breaks a property, crashes, hangs or takes too much memory is kept in
# build/fuzz/found, and named.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
executable=$(realpath -- "$1")
seconds=${2:-10}
corpus=${3:-}
name=${executable##*/fuzz_}
found=$(realpath -m -- "$HERE/../../build/fuzz/found/$name")

if [[ -z $corpus ]]; then
  corpus=$(mktemp -d)
  trap 'rm -rf -- "$corpus"' EXIT
fi
mkdir -p -- "$corpus" "$found"

case $name in
  connection | http_request) dictionary=http ;;
  request) dictionary=request ;;
  *) dictionary=json ;;
esac

options=(
  -artifact_prefix="$found/"
  -dict="$HERE/$dictionary.dict"
  -timeout=25 # of one input, which takes some milliseconds, on a machine that may be busy
  -rss_limit_mb=2048
  -malloc_limit_mb=256
  -max_len=8192
  -entropic=0 # spends half of the time on its own accounts
  -print_final_stats=1
)

# Which lines of domain code run is counted for other tests.
export LLVM_PROFILE_FILE=/dev/null
# For stack traces with lines.
export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-14/bin/llvm-symbolizer

status=0
"$executable" "${options[@]}" -runs=0 "$HERE/corpus/$name" || status=$?
((status != 0)) ||
  "$executable" "${options[@]}" -max_total_time="$seconds" "$corpus" "$HERE/corpus/$name" || status=$?
((status == 0)) || cat >&2 <<END

fuzz_$name: a finding. Its input is the file named above; this runs it again:
  $executable FILE
When it is mended, the file belongs into tests/fuzz/corpus/$name.
END
exit "$status"
