# Rex's reporter: a line of JSON for each resource, to the file that MAYFLY_REX_RESULTS names; task_lines.h reads them.
# Differs from Rex's own reporters in two points: a guard of `run` (only_if, unless) runs a command itself, and that is no
# change of the guarded one; and `file` with `source` uploads to a temporary name first, to compare, and that is no change
# of the file.
package Rex::Report::Mayfly;

use strict;
use warnings;

use JSON::PP ();
use Rex::Report::Base;
use Time::HiRes ();

our @ISA = ('Rex::Report::Base');

my $results = $ENV{MAYFLY_REX_RESULTS};
my $encoder = JSON::PP->new->utf8->canonical->allow_nonref;
delete $ENV{MAYFLY_REX_RESULTS};

sub text {
  my ($value) = @_;
  return '' if !defined $value;
  my $text = "$value";
  utf8::decode($text);
  return $text;
}

sub write_record {
  my ($record) = @_;
  return if !$record;
  open( my $file, '>>', $results ) or die "open '$results': $!";
  print {$file} $encoder->encode($record), "\n";
  close $file;
}

# The place in the user's files: of all callers, the first that is no module of Perl's or Rex's. Rex loads a Rexfile by a
# name of its own.
sub place {
  for ( my $level = 1 ; my ( undef, $file, $line ) = caller($level) ; ++$level ) {
    return "$::rexfile:$line" if $file =~ m{/__Rexfile__\.pm$};
    return "$file:$line" if $file !~ m{^/(usr|etc|dev)/|/Rex/|^\(eval};
  }
  return '';
}

# "exit code 3: disk on fire" of what `run` dies with, which repeats the command and adds a place in Rex.
sub reason {
  my ( $message, $record ) = @_;
  $message = text($message);
  if ( $message =~ /\AError executing: .*\nSTDOUT:\n(.*)\nSTDERR:\n(.*)\z/s ) {
    my ( $out, $err ) = ( $1, $2 );
    $err =~ s/ at \S+ line \d+\.\s*\z//;
    my @lines = grep { /\S/ } split /\n/, $err =~ /\S/ ? $err : $out;
    splice @lines, 0, -3 if @lines > 3;
    return join ': ', 'exit code ' . ( $record->{code} // 'unknown' ), @lines ? join( "\n", @lines ) : ();
  }
  $message =~ s{ at /loader/\S+/__Rexfile__\.pm line (\d+)\.\s*\z}{} and $record->{where} ||= "$::rexfile:$1";
  return $message;
}

# A failure is told after the resource that failed has ended, so each record waits for the next.
sub flush {
  my ($self) = @_;
  write_record( delete $self->{ended} );
}

sub report_resource_start {
  my ( $self, %option ) = @_;
  $self->flush if !@{ $self->{open} || [] };
  push @{ $self->{open} },
    {
    task    => text( $option{type} . '[' . $option{name} . ']' ),
    type    => $option{type},
    where   => place(),
    started => Time::HiRes::time(),
    status  => 'ok'
    };
}

sub report {
  my ( $self, %option ) = @_;
  my @open = @{ $self->{open} || [] };
  $open[-1]{code} = $1 if @open && ( $option{message} // '' ) =~ /Return code: (\d+)\z/;
  return if !$option{changed};
  for my $level ( reverse 0 .. $#open ) {
    last if $level < $#open && $open[$level]{type} eq 'run';
    last if $level < $#open && $open[$level]{type} eq 'file' && $open[-1]{type} eq 'upload';
    $open[$level]{status} = 'changed';
  }
}

sub report_resource_end {
  my ($self) = @_;
  my $record = pop @{ $self->{open} || [] } or return;
  $record->{ended} = Time::HiRes::time();
  # What a resource is made of belongs to it.
  $self->{ended} = $record if !@{ $self->{open} };
}

sub report_resource_failed {
  my ( $self, %option ) = @_;
  my $record = shift @{ $self->{open} || [] } || delete $self->{ended};
  $record ||= { task => 'task', started => Time::HiRes::time() };
  $record->{status}  = 'failed';
  $record->{message} = reason( $option{message}, $record );
  $record->{ended}   = Time::HiRes::time();
  $self->{open}      = [];
  $self->{ended}     = $record;
  $self->flush;
}

sub report_task_execution { my ($self) = @_; $self->flush }
sub write_report          { my ($self) = @_; $self->flush }

1;
