#!/bin/sh
# Dumps the database (PGHOST, PGUSER, PGPASSWORD, PGDATABASE) into BACKUP_DIR, and removes dumps older than KEEP_DAYS.
# A dump appears under its name once it is whole and readable. Exit 0: it is there.
set -eu
umask 077
name="holdfast-$(date -u +%Y%m%dT%H%M%SZ).dump"
part="$BACKUP_DIR/.$name.part"
trap 'rm -f "$part"' EXIT
pg_dump --format=custom --no-owner --file="$part"
pg_restore --list "$part" > /dev/null
mv "$part" "$BACKUP_DIR/$name"
find "$BACKUP_DIR" -maxdepth 1 -name 'holdfast-*.dump' -mtime +"$KEEP_DAYS" -delete
echo "$BACKUP_DIR/$name: $(wc -c < "$BACKUP_DIR/$name") bytes"
