#!/bin/sh
# Configures courier; may run again. $workers comes from the profile, $token from a secret.
set -eu
changed=
# Says whether standard input differs from the file, and writes it then: put FILE MODE OWNER
put() {
  new=$(mktemp)
  cat >"$new"
  if ! cmp -s "$new" "$1" || [ "$(stat -c '%a %U' "$1")" != "$2 $3" ]; then
    install -m "$2" -o "$3" -g "$3" "$new" "$1"
    changed=yes
  fi
  rm "$new"
}

if ! getent passwd courier >/dev/null; then
  useradd --system --create-home --home-dir /var/lib/courier --shell /usr/sbin/nologin courier
fi
install -d -m 0755 /etc/courier
put /etc/courier/courier.conf 644 root <<CONF
LISTEN=127.0.0.1
PORT=8080
WORKERS=${workers:?}
CONF
printf '%s' "${token:?}" | put /etc/courier/token 600 courier
put /etc/systemd/system/courier.service 644 root <<UNIT
[Unit]
Description=Courier

[Service]
User=courier
ExecStart=/usr/local/bin/courier serve

[Install]
WantedBy=multi-user.target
UNIT

if [ "$changed" ]; then
  systemctl daemon-reload
  systemctl enable --quiet courier
  systemctl restart courier
else
  echo 'mayfly: unchanged'
fi
