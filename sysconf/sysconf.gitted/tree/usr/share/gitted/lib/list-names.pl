# Prints `mode<tab>path<NUL>` for everything below a directory, in the form that git's trees use.
use strict;
use warnings;

my $top = shift;
sub walk {
    my ($below) = @_;
    opendir(my $handle, "$top/$below") or die "Error: $top/$below cannot be read: $!\n";
    for my $name (sort grep { $_ ne '.' && $_ ne '..' } readdir $handle) {
        my $path = $below eq '' ? $name : "$below/$name";
        lstat("$top/$path");
        my $mode = -l _ ? '120000' : -d _ ? '040000' : -f _ ? '100644' : '000000';
        print "$mode\t$path\0";
        walk($path) if $mode eq '040000';
    }
}
walk('');
