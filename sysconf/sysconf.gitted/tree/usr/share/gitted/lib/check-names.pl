# Reads `mode<tab>path<NUL>` and refuses what must not cross between machines:
# symbolic links, nested repositories, special files, names that mean something
# to git or to the file system, and names that are one on some file systems.
use strict;
use warnings;

my $where = shift;
local $/ = "\0";
my (%folded, $bad);
sub refuse {
    my ($path, $what) = @_;
    $path =~ s/([\x00-\x1f\x7f])/sprintf '\\x%02x', ord $1/ge;
    print STDERR "Error: $where/$path: $what\n";
    $bad = 1;
}
my $links = $ENV{GITTED_ALLOW_LINKS};
while (my $line = <STDIN>) {
    chomp $line;
    my ($mode, $path) = split /\t/, $line, 2;
    my ($name) = $path =~ m{([^/]*)\z};
    # What HFS+ and NTFS would take for `.git` (git's own fsck names them the same way).
    (my $plain = lc $name) =~ s/\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf//g;
    $plain =~ s/[. ]+\z//;
    if ($mode eq '120000') { refuse($path, 'a symbolic link, expected a file') unless $links }
    elsif ($mode eq '160000') { refuse($path, 'a nested repository, expected a file') }
    elsif ($mode eq '000000') { refuse($path, 'a special file, expected a file') }
    if ($name eq '.' || $name eq '..' || $plain eq '.git' || $plain eq 'git~1' || $name eq '') { refuse($path, 'a name that git keeps for itself') }
    my $key = lc $path;
    if (exists $folded{$key} && $folded{$key} ne $path) { refuse($path, "differs only in case from $folded{$key}") }
    $folded{$key} = $path;
    last if $bad && ++$bad > 20;
}
exit($bad ? 1 : 0);
