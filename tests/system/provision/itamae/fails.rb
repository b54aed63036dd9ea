file '/etc/before'

execute 'echo disk on fire >&2; exit 3'

file '/etc/never'
