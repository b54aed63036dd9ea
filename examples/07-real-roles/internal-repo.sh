#!/bin/sh
# A machine of a site that has a package archive of its own and no other: builds the package `acme-agent` and a signed
# archive with it, /srv/repo. A real site's roles get an http:// address of one in its place.
set -eu
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

mkdir -p "$build/agent/DEBIAN" "$build/agent/usr/bin" "$build/agent/usr/lib/systemd/system"
cat >"$build/agent/DEBIAN/control" <<'CONTROL'
Package: acme-agent
Version: 2.1-1
Architecture: all
Maintainer: Acme <packages@acme.example>
Description: reports to Acme's headquarters
CONTROL
cat >"$build/agent/usr/bin/acme-agent" <<'PROGRAM'
#!/bin/sh
# acme-agent [--once] CONFIGURATION: sends a report now and then; here it only writes when it did.
set -eu
. "$2"
case $1 in
  --once) date >"$SPOOL/last-report" ;;
  --forever) while :; do date >"$SPOOL/last-report"; sleep "$INTERVAL"; done ;;
esac
PROGRAM
chmod 0755 "$build/agent/usr/bin/acme-agent"
cat >"$build/agent/usr/lib/systemd/system/acme-agent.service" <<'UNIT'
[Unit]
Description=Acme's agent

[Service]
ExecStart=/usr/bin/acme-agent --forever /etc/acme/agent.conf
StateDirectory=acme
DynamicUser=yes

[Install]
WantedBy=multi-user.target
UNIT

pool=/srv/repo/pool/main
mkdir -p "$pool" /srv/repo/dists/stable/main/binary-all
dpkg-deb --root-owner-group --build "$build/agent" "$pool" >/dev/null
cd /srv/repo
apt-ftparchive packages pool >dists/stable/main/binary-all/Packages
apt-ftparchive -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Components=main \
  -o APT::FTPArchive::Release::Architectures=all release dists/stable >"$build/Release"
mv "$build/Release" dists/stable/Release

export GNUPGHOME="$build/gnupg"
mkdir -m 0700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-generate-key 'Acme packages <packages@acme.example>' ed25519 sign never
gpg --batch --armor --export >acme.asc
gpg --batch --clearsign --output dists/stable/InRelease dists/stable/Release
gpgconf --kill all

rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*_*
