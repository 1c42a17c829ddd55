# Runs git with framed standard input and gives up when the other side is gone.
#
# Standard input comes in frames: four hexadecimal digits (the length of the whole
# frame) and data; 0000 is the end of git's input. The end of input without a 0000,
# or after it while git still runs, means that the other side died. Then this
# program makes the directory DECISION; an import makes the same directory at its
# commit point. Whoever comes first decides: given up, or carried through.
# (Killing lxc-attach or ssh on the host does not stop what they started.)
use strict;
use warnings;
use POSIX qw(:sys_wait_h);

my ($decision, @command) = @ARGV;
$SIG{PIPE} = 'IGNORE';
my $ended = 0;
pipe(my $wake_out, my $wake_in) or die "pipe: $!";
$SIG{CHLD} = sub { $ended = 1; syswrite $wake_in, 'x' };

pipe(my $git_in, my $to_git) or die "pipe: $!";
my $pid = fork() // die "fork: $!";
if (!$pid) {
    setpgrp(0, 0);
    $SIG{PIPE} = $SIG{CHLD} = 'DEFAULT';
    close $_ for $to_git, $wake_out, $wake_in;
    open(STDIN, '<&', $git_in) or die "stdin: $!";
    close $git_in;
    exec { $command[0] } @command or die "$command[0]: $!\n";
}
close $git_in;

my ($status, $gave_up, $deadline, $buffer, $left, $open) = (undef, 0, undef, '', 0, 1);

sub reap {
    return if defined $status;
    my $done = waitpid($pid, WNOHANG);
    $status = $? if $done == $pid;
}

sub give_up {
    $open = 0;
    close $to_git if defined fileno $to_git;
    return unless mkdir $decision;
    $gave_up = 1;
    kill 'TERM', -$pid;
    $deadline = time + 10;
}

sub feed {
    my ($data) = @_;
    my $offset = 0;
    while (defined fileno($to_git) && $offset < length $data) {
        my $written = syswrite $to_git, $data, length($data) - $offset, $offset;
        if (!defined $written) { next if $!{EINTR}; close $to_git; return }
        $offset += $written;
    }
}

sub parse {
    while (1) {
        if ($left > 0) {
            return if $buffer eq '';
            my $part = substr $buffer, 0, $left, '';
            $left -= length $part;
            feed($part);
            next;
        }
        return if length $buffer < 4;
        my $head = substr $buffer, 0, 4, '';
        if ($head eq '0000') { close $to_git if defined fileno $to_git; next }
        if ($head !~ /\A[0-9a-f]{4}\z/ || hex($head) < 5) { give_up(); return }
        $left = hex($head) - 4;
    }
}

while (1) {
    reap();
    last if defined $status;
    if (defined $deadline && time > $deadline) { kill 'KILL', -$pid; $deadline = time + 10 }
    my $watched = '';
    vec($watched, fileno STDIN, 1) = 1 if $open;
    vec($watched, fileno $wake_out, 1) = 1;
    my $ready = select($watched, undef, undef, $gave_up ? 1 : 60);
    next if $ready <= 0;
    sysread $wake_out, my $ignored, 64 if vec($watched, fileno $wake_out, 1);
    next unless $open && vec($watched, fileno STDIN, 1);
    my $got = sysread STDIN, $buffer, 65536, length $buffer;
    next if !defined $got && $!{EINTR};
    if (!$got) { give_up(); next }
    parse();
}
# Helpers that git left in its group (hooks, handlers) end with it once we gave up.
kill 'KILL', -$pid if $gave_up;
print STDERR "Error: The other side is gone; gave up before the commit point.\n" if $gave_up;
exit($gave_up ? 75 : WIFEXITED($status) ? WEXITSTATUS($status) : 128 + WTERMSIG($status));
