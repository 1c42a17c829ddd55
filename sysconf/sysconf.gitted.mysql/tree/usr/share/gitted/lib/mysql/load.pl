#!/usr/bin/perl
# load.pl DATABASE DIR < FILES: prints the script that loads the files that gitted-rows check listed.
# Before each file stands its name, after it what the server warned of: LOCAL turns errors into warnings.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');

my ($database, $dir) = @ARGV;
my %table = map { $_->{name} => $_ } grep { $_->{kind} eq 'table' } tables_of($database);
my %auto = map { pack('H*', $_->[0]) . "\0" . pack('H*', $_->[1]) => 1 } rows_of("SELECT HEX(TABLE_NAME), HEX(COLUMN_NAME) FROM information_schema.COLUMNS WHERE EXTRA LIKE '%auto_increment%' AND TABLE_SCHEMA = " . literal($database) . ';');

# One statement that reads a file into a table that has these columns.
sub load_of {
    my ($file, $into, $table, @names) = @_;
    my %column = map { $_->{name} => $_ } @{ $table->{columns} };
    my (@read, @set);
    for my $i (0 .. $#names) {
        my $column = $column{ $names[$i] } or fail("manifest.tsv:1: table $table->{name} has no column $names[$i], expected one of " . join(', ', sort keys %column));
        my $value = text_of($column)->[1]->("\@c$i");
        # With a SET clause the key's own zero would become the next number, unless it goes through a variable.
        if ($value eq "\@c$i" && !$auto{"$table->{name}\0$names[$i]"}) { push @read, quoted($names[$i]); }
        else { push @read, "\@c$i"; push @set, quoted($names[$i]) . ' = ' . ($value eq "\@c$i" ? $value : "IF(\@c$i IS NULL, NULL, $value)"); }
    }
    $file =~ s/(['\\])/\\$1/g;
    return "LOAD DATA LOCAL INFILE '$file' INTO TABLE $into CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (" . join(', ', @read) . ')' . (@set ? ' SET ' . join(', ', @set) : '') . ";\nSHOW WARNINGS LIMIT 3;\n";
}

if (!caller) {
    print "SET SESSION autocommit = 0;\nSET SESSION unique_checks = 0;\n";
    while (<STDIN>) {
        chomp;
        my (undef, $name, $path, $columns) = split /\t/, $_, -1;
        $name = pack 'H*', $name;
        my $table = $table{$name} or fail("$path:1: there is no table $name, expected it in schema/pre-data.sql");
        print "SELECT 'file $path';\n", load_of("$dir/$path", quoted($name), $table, map { pack 'H*', $_ } split /,/, $columns // '');
    }
    print "COMMIT;\nSELECT 'loaded';\n";
}
1;
