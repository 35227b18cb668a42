# shellcheck shell=bash
# What must be installed, in one place, and how it gets there: Debian packages with apt, Node packages
# with npm. When nothing is missing this takes a fraction of a second and touches nothing.

BUILD_PACKAGES=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates curl jq openssl
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  libpq-dev librabbitmq-dev libboost-dev libspdlog-dev libfmt-dev libcli11-dev
  prometheus-cpp-dev libyaml-cpp-dev libsimdjson-dev libssl-dev zlib1g-dev
  catch2 golang-github-gogo-googleapis-dev
)
SERVER_PACKAGES=(postgresql-15 postgresql-client-15 rabbitmq-server)
TEST_PACKAGES=(
  clang-format shellcheck python3-pika clang-14 libclang-rt-14-dev llvm-14 libfaketime bsdextrautils
)

# Node.js 18 is what Debian 12 has and what amqplib asks for. A newer one may come from anywhere.
NODE_PACKAGES=(nodejs npm)

# install_missing [test]: everything that ./dev needs; with `test` what only the tests need, too.
install_missing() {
  local wanted=("${BUILD_PACKAGES[@]}" "${SERVER_PACKAGES[@]}") missing
  [[ ${1:-} != test ]] || wanted+=("${TEST_PACKAGES[@]}")
  node_works || wanted+=("${NODE_PACKAGES[@]}")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} > 0)); then
    command -v apt-get >/dev/null || die "this needs Debian 12, whose packages are: ${missing[*]}"
    become_root_for "${missing[@]}"
    step "Debian packages (${#missing[@]})" "$RUN_DIR/log/install.log" install_packages "${missing[@]}"
  fi
  node_works || die "Node.js 18 or newer and npm are needed; found node $(node --version 2>&1 | head -n 1)"
  node_modules_are_current || step "Node packages" "$RUN_DIR/log/install.log" install_node_modules
}

missing_packages() {
  local -A installed=()
  local status name
  while read -r status name; do
    [[ $status != ii ]] || installed[$name]=1
  done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null)
  for name in "$@"; do [[ -n ${installed[$name]:-} ]] || printf '%s\n' "$name"; done
}

# Asks for the password, if any, before the step begins: in the middle of it the question would be lost.
AS_ROOT=()
become_root_for() {
  ((EUID != 0)) || return 0
  if [[ -t 0 ]]; then AS_ROOT=(sudo); else AS_ROOT=(sudo -n); fi
  if ! command -v sudo >/dev/null || ! "${AS_ROOT[@]}" true 2>/dev/null; then
    die "these Debian packages are missing, and sudo can't be used to install them. As root:
  apt-get update && apt-get install --no-install-recommends $*"
  fi
}

install_packages() {
  "${AS_ROOT[@]}" bash "$ROOT/deploy/dev/apt-install.sh" "$@"
}

node_works() {
  local version
  command -v npm >/dev/null || return 1
  version=$(node --version 2>/dev/null) || return 1
  version=${version#v}
  ((${version%%.*} >= 18))
}

# npm leaves this file at the end of an installation, so an interrupted one is not taken for complete.
node_modules_are_current() {
  [[ -f $ROOT/node_modules/.package-lock.json && -f $ROOT/node_modules/.installed &&
    $(<"$ROOT/node_modules/.installed") == "$(package_lock_hash)" ]]
}

package_lock_hash() { sha256sum <"$ROOT/package-lock.json"; }

# Install scripts are off (.npmrc): the packages with executables bring them along.
install_node_modules() {
  (cd "$ROOT" && npm ci --no-audit --no-fund)
  package_lock_hash >"$ROOT/node_modules/.installed"
}
