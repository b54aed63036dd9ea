exec { 'hangs': command => '/bin/sh -c "setsid sleep 4711 & sleep 4712"' }
