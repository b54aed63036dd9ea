# Writes a text to /etc/greeting.
class greeting(String $text) {
  file { '/etc/greeting':
    content => "${text}\n",
    mode    => '0640',
  }
}
