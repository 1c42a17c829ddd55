# changed.pl LIST NAMES: from `KIND<tab>PATH` lines of git (A, M, D, T) the list for a handler, which knows no T, in place,
# and to NAMES the paths to check out, divided by NUL. Exit code 1 where a path does not fit on a line.
use strict;
use warnings;

my ($list, $names) = @ARGV;
open my $in, '<:raw', $list or die "$list: $!\n";
my @changes = <$in>;
exit 1 if grep { /\t"/ } @changes;
s/^T/M/ for @changes;
sub save { my ($path, @parts) = @_; open my $out, '>:raw', $path or die "$path: $!\n"; print $out @parts or die "$path: $!\n"; close $out or die "$path: $!\n" }
save($names, map { /^[AM]\t(.*)\n/ ? "$1\0" : () } @changes);
save($list, @changes);
