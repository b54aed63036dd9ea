# Runs a task of a Rexfile with our reporter. Called with the path of the settings: {file, task, params, without}. Parameters come
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
# A resource is a call of one of these. The Rexfile gets them when it says `use Rex`, after this.
if ( $settings->{without} ) {
  my %resources = (
    'Rex::Commands::Cron'    => [qw(cron)],
    'Rex::Commands::File'    => [qw(file append_if_no_such_line append_or_amend_line delete_lines_matching sed)],
    'Rex::Commands::Fs'      => [qw(mkdir rmdir unlink ln symlink chown chgrp chmod cp rename mount umount)],
    'Rex::Commands::Pkg'     => [qw(pkg update_package_db repository package_provider_for)],
    'Rex::Commands::Run'     => [qw(run)],
    'Rex::Commands::Service' => [qw(service)],
    'Rex::Commands::User'    => [qw(account create_user delete_user group create_group delete_group)],
  );
  no strict 'refs';
  no warnings 'redefine';
  for my $module ( keys %resources ) {
    eval "require $module" or die $@;
    for my $name ( @{ $resources{$module} } ) {
      my $call = *{"${module}::$name"}{CODE} or next;
      *{"${module}::$name"} = sub {
        return if Rex::Report::Mayfly::place() eq $settings->{without};
        goto &$call;
      };
    }
  }
}
@ARGV = ( '-m', '-f', $settings->{file}, $settings->{task} );
for my $name ( sort keys %{ $settings->{params} } ) {
  my $value = $settings->{params}{$name};
  utf8::encode($value);
  push @ARGV, "--$name=$value";
}
Rex::CLI->new->__run__;
