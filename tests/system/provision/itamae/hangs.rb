execute 'setsid sleep 4711 & sleep 4712'
