#!/usr/bin/perl
# counters.pl FILE OLD: prints statements that set the counters whose lines are not in OLD.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');

my ($file, $old) = @ARGV;
my %same;
if ($old ne '' && open my $in, '<', $old) { while (<$in>) { chomp; $same{$_} = 1; } }
open my $in, '<', $file or exit 0;
while (<$in>) {
    chomp;
    next if $same{$_};
    my ($kind, $name, $value, $round) = split /\t/;
    fail("counters.tsv:$.: \"$_\", expected auto_increment or sequence, a name and a number, divided by tabs")
        unless defined $value && $kind =~ /^(auto_increment|sequence)$/ && $value =~ /^-?\d{1,20}$/ && ($round // '0') =~ /^\d+$/;
    $name =~ s/%([0-9a-f]{2})/chr hex $1/ge;
    print "SELECT 'counters.tsv:$.';\n";
    print $kind eq 'sequence' ? 'DO SETVAL(' . quoted($name) . ", $value, 0, " . ($round // 0) . ");\n" : 'ALTER TABLE ' . quoted($name) . " AUTO_INCREMENT = $value;\n";
}
