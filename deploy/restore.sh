#!/bin/sh
# Restores a backup into the empty database that DATABASE_URL names: deploy/restore.sh FILE
#
# Stop web, workers and schedulers first, and give the console the TOKEN_ENCRYPTION_KEYS and SECRET_KEY of the backup. Afterwards
# run `python manage.py migrate`, and `python manage.py verify_audit`, which shows that the trail is whole.
# A drill restores into a database of its own beside the real one; docs/deploy.md has it step by step.
set -eu
file=${1:?Name the backup: deploy/restore.sh FILE}
: "${DATABASE_URL:?Set DATABASE_URL}"
tables=$(psql --no-psqlrc --tuples-only --no-align --dbname="$DATABASE_URL" \
    --command="SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$tables" != 0 ]; then
    echo "The database has $tables tables. Give an empty one, so that nothing is overwritten." >&2
    exit 1
fi
pg_restore --no-owner --no-privileges --single-transaction --exit-on-error --dbname="$DATABASE_URL" "$file"
# The processes that wrote them are those of the time of the backup.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$DATABASE_URL" --command="
    DELETE FROM tokens_heartbeat;
    ANALYZE"
echo "Restored. Now run: python manage.py migrate, python manage.py verify_audit"
