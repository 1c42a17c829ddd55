# keep-objects.pl FROM TO: brings every file of a quarantine into a repository's objects for good.
# A link takes no space and is there at once; half a copy would be taken for the object.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Find qw(find);
use File::Path qw(make_path);

my ($from, $to) = @ARGV;
find({ no_chdir => 1, wanted => sub {
    return if /\.keep$/ || !-f;
    my $kept = $to . substr $_, length $from;
    return if -f $kept;
    make_path(dirname($kept));
    return if link $_, $kept;
    copy($_, "$kept.new") && chmod((stat)[2] & 07777, "$kept.new") && rename("$kept.new", $kept) or die "$kept: $!\n";
} }, $from);
