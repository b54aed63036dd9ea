#!/bin/sh
# setup.sh USER: prepares a machine for the application; may run again.
set -eu
user=$1
. /etc/os-release

getent group "$user" >/dev/null || groupadd --system "$user"
getent passwd "$user" >/dev/null ||
  useradd --system --gid "$user" --home-dir "/srv/$user" --create-home --shell /usr/sbin/nologin "$user"
install -d -o "$user" -g "$user" -m "$DATA_MODE" "/srv/$user/data"
printf 'suite = %s\nuser = %s\n' "$VERSION_CODENAME" "$user" >"/etc/$user.conf"
chmod 0644 "/etc/$user.conf"
