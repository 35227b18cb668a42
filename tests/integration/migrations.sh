#!/usr/bin/env bash
# Every migration goes up, down and up again on an empty database, and the schema is the same both times,
# also when the projections and their twins have changed places in between.
# Run by servers.sh, which gives the servers' addresses.
set -euo pipefail
root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
dbmate=("$root"/node_modules/@dbmate/*/bin/dbmate)
name=migrations_$$
admin=${GOD33_ADMIN_DATABASE_URL:?}
export DATABASE_URL="${GOD33_MIGRATOR_DATABASE_URL%/*}/$name?sslmode=disable"
count=$(find "$root/migrations" -name '[0-9]*.sql' | wc -l)

admin() { psql -X -q -v ON_ERROR_STOP=1 "${admin%/*}/postgres" -c "$1"; }
migrations() { (cd /tmp && "${dbmate[0]}" --no-dump-schema --migrations-dir "$root/migrations" "$@"); }
schema() { pg_dump --schema-only --no-comments "${admin%/*}/$name" | grep -v '^[\\]'; }
leftovers() {
  psql -X -At "${admin%/*}/$name" -c "
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
      AND relname NOT LIKE 'schema_migrations%'
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND nspname <> 'public'"
}
# The projections in one schema, without its name.
projections() {
  pg_dump --schema-only --no-comments -t "$1.workflow_state" -t "$1.agent_sessions" -t "$1.fold_failures" \
    "${admin%/*}/$name" | grep -v '^[\\]' | sed "s/$1\./here./g; s/Schema: $1/Schema: here/"
}

admin "CREATE DATABASE $name OWNER god33_migrator"
trap 'admin "DROP DATABASE $name WITH (FORCE)"' EXIT

migrations migrate
first=$(schema)
migrations migrate # nothing left to do
diff <(projections public) <(projections shadow)
diff <(projections public) <(projections snapshot)
psql -X -q -v ON_ERROR_STOP=1 "${admin%/*}/$name" -c 'SELECT swap_projections()' >/dev/null
swapped=$(schema)
diff <(echo "$first") <(echo "$swapped")
for ((i = 0; i < count; i++)); do migrations rollback; done
left=$(leftovers)
if [[ -n $left ]]; then
  printf 'left after all rollbacks:\n%s\n' "$left"
  exit 1
fi
migrations migrate
second=$(schema)
diff <(echo "$first") <(echo "$second")
migrations status
