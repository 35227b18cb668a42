#!/usr/bin/env bash
# apt-install.sh PACKAGE...: installs Debian packages as root and leaves the system as it was otherwise:
# the PostgreSQL and RabbitMQ packages bring system-wide services, and those must neither start now nor
# at the next boot just because a developer needs the programs. A service that was there before stays
# untouched, running or not.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
POLICY=/usr/sbin/policy-rc.d
POLICY_SAVED=$POLICY.saved-by-god33
CLUSTER_POLICY=/etc/postgresql-common/createcluster.d/god33-dev.conf
LOCK_WAIT=900

installed() { [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]; }

# Services that are not there yet, hence nobody's but ours to hold back.
new_services() {
  installed rabbitmq-server || echo rabbitmq-server
  installed erlang-base || echo epmd
  installed postgresql-15 || echo postgresql
}

# Debian's way to forbid the start of services during an installation. A policy that exists already
# goes on deciding about everything else.
hold_back() {
  [[ ! -e $POLICY && ! -L $POLICY ]] || mv -- "$POLICY" "$POLICY_SAVED"
  cat >"$POLICY" <<POLICY_END
#!/bin/sh
# Temporary, by god33's apt-install.sh
for service in $*; do
  case \$1 in "\$service"|"\$service".*|"\$service"@*) exit 101 ;; esac
done
[ -x $POLICY_SAVED ] || exit 0
exec $POLICY_SAVED "\$@"
POLICY_END
  chmod 755 "$POLICY"
  mkdir -p -- "${CLUSTER_POLICY%/*}"
  [[ " $* " != *" postgresql "* ]] || echo 'create_main_cluster = false' >"$CLUSTER_POLICY"
}

# Also what an earlier run that was killed has left.
restore() {
  rm -f -- "$CLUSTER_POLICY"
  if grep -qs "by god33's apt-install.sh" "$POLICY"; then rm -f -- "$POLICY"; fi
  if [[ -e $POLICY_SAVED || -L $POLICY_SAVED ]]; then mv -- "$POLICY_SAVED" "$POLICY"; fi
}

# At the next boot the new services stay down as well.
disable() {
  local service unit
  for service in "$@"; do
    [[ $service != postgresql ]] || continue # without a cluster it does nothing
    for unit in "$service.service" "$service.socket"; do
      [[ -e /lib/systemd/system/$unit ]] || continue
      # Not systemctl: it may be missing where units are enabled all the same. The helper asks whose
      # installation it is called for.
      DPKG_MAINTSCRIPT_PACKAGE=god33-dev deb-systemd-helper disable "$unit" || true
    done
    [[ ! -e /etc/init.d/$service ]] || update-rc.d "$service" disable || true
  done
}

# patiently COMMAND...: again while another apt works. DPkg::Lock::Timeout knows only dpkg's lock, not
# the one on the package lists.
patiently() {
  local output deadline=$((SECONDS + LOCK_WAIT))
  output=$(mktemp)
  until "$@" 2>&1 | tee "$output"; do
    if ! grep -qE 'Could not get lock|Unable to (lock|acquire)|is another process using it' "$output" ||
      ((SECONDS >= deadline)); then
      rm -f -- "$output"
      return 1
    fi
    echo "another apt is working: waiting"
    sleep 5
  done
  rm -f -- "$output"
}

main() {
  local services
  trap restore EXIT
  restore
  mapfile -t services < <(new_services)
  [[ -z $(dpkg --audit) ]] || patiently dpkg --configure -a
  ((${#services[@]} == 0)) || hold_back "${services[@]}"
  # One broken source of many should not stop what the others can give.
  patiently apt-get -q update || echo "apt-get update failed; trying with the lists there are"
  patiently apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=$LOCK_WAIT \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
  disable "${services[@]}"
}

main "$@"
