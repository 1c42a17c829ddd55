#!/usr/bin/perl
# foreign-keys.pl DATABASE [TOUCHED]: prints statements that signal an error where a row has no parent. With TOUCHED
# (the file that gitted-rows wrote) only rows of these lists are looked at, in temporary tables gitted_insert_N and gitted_delete_N.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');

my ($database, $touched) = @ARGV;
my (%number, %deletes, %inserts);
if (defined $touched) {
    open my $in, '<', $touched or fail("$touched: $!");
    while (<$in>) { chomp; my ($n, undef, undef, $name, undef, undef, $d, $i) = split /\t/; $name = pack 'H*', $name; $number{$name} = $n; $deletes{$name} = $d; $inserts{$name} = $i; }
}
my %keys;
for (rows_of('SELECT HEX(CONSTRAINT_NAME), HEX(TABLE_NAME), HEX(COLUMN_NAME), HEX(REFERENCED_TABLE_SCHEMA), HEX(REFERENCED_TABLE_NAME), HEX(REFERENCED_COLUMN_NAME) FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA = ' . literal($database) . ' ORDER BY 2, 1, ORDINAL_POSITION;')) {
    my ($name, $child, $column, $schema, $parent, $to) = map { pack 'H*', $_ } @$_;
    my $k = $keys{"$child\0$name"} //= { name => $name, child => $child, schema => $schema, parent => $parent, pairs => [] };
    push @{ $k->{pairs} }, [quoted($column), quoted($to)];
}
sub signal {
    my ($k, $query) = @_;
    my $text = "$k->{child}: a row is not in $k->{parent}, expected it there (foreign key $k->{name}): ";
    print "BEGIN NOT ATOMIC\nDECLARE missing TEXT;\nSET missing = ($query LIMIT 1);\nIF missing IS NOT NULL THEN SET missing = LEFT(CONCAT(" . literal($text) . ", missing), 500); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = missing; END IF;\nEND //\n";
}
print "DELIMITER //\n";
for my $k (map { $keys{$_} } sort keys %keys) {
    my $parent = quoted($k->{schema}) . '.' . quoted($k->{parent});
    my $value = "CONCAT_WS(', ', " . join(', ', map { "c.$_->[0]" } @{ $k->{pairs} }) . ')';
    my $filled = join ' AND ', map { "c.$_->[0] IS NOT NULL" } @{ $k->{pairs} };
    my $match = join ' AND ', map { "p.$_->[1] = c.$_->[0]" } @{ $k->{pairs} };
    if (!defined $touched) { signal($k, "SELECT $value FROM " . quoted($k->{child}) . " c WHERE $filled AND NOT EXISTS (SELECT 1 FROM $parent p WHERE $match)"); next; }
    signal($k, "SELECT $value FROM gitted_insert_$number{$k->{child}} c WHERE $filled AND NOT EXISTS (SELECT 1 FROM $parent p WHERE $match)") if $inserts{ $k->{child} };
    my $gone = join ' AND ', map { "d.$_->[1] = c.$_->[0]" } @{ $k->{pairs} };
    signal($k, "SELECT $value FROM " . quoted($k->{child}) . " c JOIN gitted_delete_$number{$k->{parent}} d ON $gone WHERE NOT EXISTS (SELECT 1 FROM $parent p WHERE $match)") if $deletes{ $k->{parent} };
}
print "DELIMITER ;\nSELECT 'foreign keys';\n";
