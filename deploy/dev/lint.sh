#!/usr/bin/env bash
# What tools can say about the sources: buf about the protos, clang-format about C++, shellcheck about
# shell. All of them speak before the result is known.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 1

GOOGLEAPIS=/usr/share/gocode/src/github.com/gogo/googleapis
SOURCES=(libs services tools tests)
failed=0

# result TITLE STATUS
result() {
  if (($2 == 0)); then
    printf 'ok      %s\n' "$1"
  else
    printf 'FAILED  %s\n' "$1"
    failed=1
  fi
}

# buf gets the image from protoc: its own way to google/api is a registry on the network.
protos() {
  local image status=0 files
  image=$(mktemp --suffix=.binpb)
  mapfile -t files < <(find proto/god33 -name '*.proto')
  protoc -Iproto -I"$GOOGLEAPIS" --include_imports --include_source_info -o "$image" "${files[@]}" &&
    node_modules/.bin/buf lint "$image" --config proto/buf.yaml || status=1
  rm -f -- "$image"
  return "$status"
}

cpp() {
  find "${SOURCES[@]}" \( -name '*.cc' -o -name '*.h' \) -print0 |
    xargs -0 -r clang-format --dry-run -Werror
}

# Every file that says it is shell, by name or first line.
shell() {
  find . \( -name .git -o -name .run -o -name build -o -name node_modules \) -prune -o \
    -type f \( -name '*.sh' -o -perm /111 \) -print0 |
    xargs -0 awk 'FNR == 1 && (FILENAME ~ /\.sh$/ || /^#!.*[\/ ](ba)?sh/) {printf "%s%c", FILENAME, 0} {nextfile}' |
    xargs -0 -r shellcheck -x -P .
}

protos
result "buf lint" $?
cpp
result "clang-format" $?
shell
result "shellcheck" $?
exit "$failed"
