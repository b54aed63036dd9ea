#!/bin/sh -e
id app >/dev/null 2>&1 || useradd --system --home-dir /srv/app app
mkdir -p /srv/app /etc/app
[ -s /etc/app/app.conf ] || printf 'workers = 4\n' > /etc/app/app.conf
cat > /etc/systemd/system/app.service <<'U'
[Unit]
Description=app
[Service]
ExecStart=/usr/bin/python3 -m http.server 8080 --directory /srv/app
User=app
[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload
systemctl enable --now app.service
