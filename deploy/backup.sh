#!/bin/sh
# Writes a backup of the database that DATABASE_URL names: deploy/backup.sh FOLDER
#
# It goes on while the console runs. The file is complete when it has its name, and only its owner can read it. The keys
# (TOKEN_ENCRYPTION_KEYS, SECRET_KEY) are not in it: keep them in another place. Backups older than KEEP_DAYS (30) are deleted.
set -eu
umask 077
folder=${1:?Name the folder: deploy/backup.sh FOLDER}
: "${DATABASE_URL:?Set DATABASE_URL}"
mkdir -p "$folder"
file="$folder/amazon-accounts-$(date -u +%Y%m%dT%H%M%SZ).dump"
trap 'rm -f "$file.part"' EXIT
# What is read from Amazon again needs no backup: the pages of syncs that run.
pg_dump --format=custom --no-owner --no-privileges \
    --exclude-table-data=accounts_staged_account --exclude-table-data=accounts_staged_profile \
    --exclude-table-data=cache_entries --dbname="$DATABASE_URL" --file="$file.part"
pg_restore --list "$file.part" > /dev/null
mv "$file.part" "$file"
find "$folder" -name 'amazon-accounts-*.dump' -type f -mtime "+${KEEP_DAYS:-30}" -delete
echo "$file"
