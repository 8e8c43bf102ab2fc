#!/bin/sh
# Starts redis-server with the users of redis-users.acl, which lies beside this file. The hash is that of REDIS_PASSWORD, so no password
# is in a file, or on a command line that others see. Its arguments are the whole command: redis-with-users.sh redis-server --port 6379
set -eu
umask 077
hash=$(printf %s "${REDIS_PASSWORD:?is not set}" | sha256sum | cut -d ' ' -f 1)
sed "s/HOLDFAST_PASSWORD_SHA256/$hash/" "$(dirname "$0")/redis-users.acl" > /data/users.acl
exec "$@" --aclfile /data/users.acl
