#!/bin/sh
# What the package `courier` would bring: the program and its directory. The manifests do the rest.
set -eu
install -d -m 0755 /var/cache/courier
cat >/usr/local/bin/courier <<'PROGRAM'
#!/bin/sh
set -eu
case $1 in
  serve)
    . /etc/courier/courier.conf
    exec python3 -m http.server --bind "$LISTEN" --directory /var/lib/courier "$PORT" ;;
  up-to-date) # sounds like a question, and writes down when it was asked
    sleep 0.05 # looks through the letters
    date +%s.%N >/var/cache/courier/asked
    test -e /var/cache/courier/index ;;
  reindex) echo 1 >/var/cache/courier/index ;;
esac
PROGRAM
chmod 0755 /usr/local/bin/courier
