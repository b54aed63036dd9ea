echo "before" > /etc/before
echo "disk on fire" >&2
(exit 3)
echo "after" > /etc/after
