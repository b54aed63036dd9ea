class { 'courier': token => Sensitive($facts['token']), workers => 4 }
