# Runs a task of a Rexfile with our reporter. Called with the path of the settings: {file, task, params}. Parameters come
# by a file, since everybody may read a command line.
use strict;
use warnings;

use JSON::PP ();
use Rex::CLI;
use Rex::Config;
use Rex::Report;
use Rex::Report::Mayfly;

$| = 1;
open( my $file, '<', $ARGV[0] ) or die "open '$ARGV[0]': $!";
my $settings = do { local $/; JSON::PP->new->utf8->decode(<$file>) };
close $file;

# Rex logs to the syslog of the machine that it is called on, which isn't meant to be the one that it works on.
{
  no warnings 'redefine';
  *Rex::Config::get_log_facility = sub { '' };
}

# Whatever reporter the Rexfile asks for.
my $reporter = Rex::Report::Mayfly->new;
{
  no warnings 'redefine';
  *Rex::Report::create = sub { $reporter };
}
@ARGV = ( '-m', '-f', $settings->{file}, $settings->{task} );
for my $name ( sort keys %{ $settings->{params} } ) {
  my $value = $settings->{params}{$name};
  utf8::encode($value);
  push @ARGV, "--$name=$value";
}
Rex::CLI->new->__run__;
