#!/usr/bin/env bash
# The schema, with owners, grants, functions, policies and roles, on fresh databases:
#   - each migration goes up, down to what was there before, and up again to the same, one after the other;
#   - all at once give the same as one by one, also when the projections and their twins have changed places;
#   - all go down one by one through the same steps, leave nothing, and come up again to the same.
# Run by servers.sh, which gives the servers' addresses.
set -euo pipefail
root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
dbmate=("$root"/node_modules/@dbmate/*/bin/dbmate)
admin=${GOD33_ADMIN_DATABASE_URL:?}
server=${admin%/*}
work=$(mktemp -d)
files=("$root"/migrations/[0-9]*.sql)
databases=()

admin() { psql -X -q -v ON_ERROR_STOP=1 "$server/postgres" -c "$1"; }

# fresh NAME: makes a database, which is the one meant from now on.
fresh() {
  name=$1_$$
  admin "CREATE DATABASE $name OWNER god33_migrator"
  databases+=("$name")
  export DATABASE_URL="${GOD33_MIGRATOR_DATABASE_URL%/*}/$name?sslmode=disable"
}

finish() {
  for name in "${databases[@]}"; do admin "DROP DATABASE $name WITH (FORCE)"; done
  rm -r -- "$work"
}
trap finish EXIT

# migrations DIR COMMAND
migrations() { (cd /tmp && "${dbmate[0]}" --no-dump-schema --migrations-dir "$@"); }

# What a migration may change, without dbmate's own table. The lines with a backslash differ from call to call.
schema() {
  pg_dump --schema-only --create --exclude-table='schema_migrations*' "$server/$name" | grep -v '^[\\]' |
    sed "s/$name/it/g"
  pg_dumpall --roles-only --no-role-passwords -d "$server/postgres" | grep -v '^[\\]'
}

# same WHAT FILE: the schema is what FILE says.
same() {
  schema >"$work/now"
  diff "$2" "$work/now" || {
    echo "the schema differs: $1"
    exit 1
  }
}

# The projections in one schema, without its name.
projections() {
  pg_dump --schema-only --no-comments -t "$1.workflow_state" -t "$1.agent_sessions" -t "$1.fold_failures" \
    "$server/$name" | grep -v '^[\\]' | sed "s/$1\./here./g; s/Schema: $1/Schema: here/"
}

fresh one_by_one
mkdir "$work/some"
schema >"$work/0"
for ((i = 1; i <= ${#files[@]}; i++)); do
  file=${files[i - 1]}
  ln -s "$file" "$work/some/"
  migrations "$work/some" migrate
  schema >"$work/$i"
  migrations "$work/some" rollback
  same "${file##*/} taken back" "$work/$((i - 1))"
  migrations "$work/some" migrate
  same "${file##*/} applied again" "$work/$i"
done
last=$work/${#files[@]}

fresh at_once
migrations "$root/migrations" migrate
same "all at once, against one by one" "$last"
migrations "$root/migrations" migrate # nothing left to do
diff <(projections public) <(projections shadow)
diff <(projections public) <(projections snapshot)
psql -X -q -v ON_ERROR_STOP=1 "$server/$name" -c 'SELECT swap_projections()' >/dev/null
same "the projections and their twins have changed places" "$last"
for ((i = ${#files[@]}; i > 0; i--)); do
  migrations "$root/migrations" rollback
  same "${files[i - 1]##*/} taken back, after all" "$work/$((i - 1))"
done
migrations "$root/migrations" migrate
same "all again, after all were taken back" "$last"
migrations "$root/migrations" status
