#!/usr/bin/perl
# apply.pl DATABASE STAGE: prints the statements that apply the planned rows inside a transaction: deletes all, then
# inserts all. A row is deleted only if it is still what the plan says. Exits 3 where a table cannot be changed so:
# without a key, not transactional, or with triggers, which no session can switch off.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/load.pl');

my ($database, $stage) = @ARGV;
my %table = map { $_->{name} => $_ } tables_of($database);
my %triggered = map { pack('H*', $_->[0]) => 1 } rows_of('SELECT HEX(EVENT_OBJECT_TABLE) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ' . literal($database) . ';');
my $secrets = secrets_in("$stage/masked");
open my $in, '<', "$stage/touched" or fail("$stage/touched: $!");
while (<$in>) {
    chomp;
    my ($n, $path, undef, $name, $key, $columns, $deletes, $inserts) = split /\t/;
    $name = pack 'H*', $name;
    my @columns = map { pack 'H*', $_ } split /,/, $columns;
    my $table = $table{$name} or fail("data/$path: there is no table $name");
    exit 3 if $key eq '-' || $table->{engine} ne 'InnoDB' || $table->{type} ne 'BASE TABLE' || $triggered{$name};
    my $names = join ', ', map { quoted($_) } @columns;
    for (['delete', $deletes], ['insert', $inserts]) {
        my ($what, $rows) = @$_;
        print "SELECT '$n $what';\nCREATE TEMPORARY TABLE gitted_${what}_$n ENGINE=InnoDB AS SELECT $names FROM ", quoted($name), " LIMIT 0;\n";
        print load_of("$stage/$n.$what", "gitted_${what}_$n", $table, @columns) if $rows;
    }
    print "SELECT '$n apply';\n";
    my $masked = $secrets->{masked}{$name};
    if ($masked) {
        my $kept = join ', ', map { 't.' . quoted($_) } @{ $masked->{key} }, @{ $masked->{columns} };
        print "CREATE TEMPORARY TABLE gitted_kept_$n ENGINE=InnoDB AS SELECT $kept FROM ", quoted($name), " t JOIN gitted_delete_$n d ON ", join(' AND ', map { 't.' . quoted($_) . ' = d.' . quoted($_) } @{ $masked->{key} }), ";\n";
    }
    print "DELIMITER //\n";
    if ($deletes) {
        my %column = map { $_->{name} => $_ } @{ $table->{columns} };
        my $same = join ' AND ', (map { 't.' . quoted($_) . ' = d.' . quoted($_) } map { pack 'H*', $_ } split /,/, $key),
                                 (map { 'BINARY ' . text_of($column{$_}, 't')->[0] . ' = BINARY ' . text_of($column{$_}, 'd')->[0] } @columns);
        print "BEGIN NOT ATOMIC\nDELETE t FROM ", quoted($name), " t JOIN gitted_delete_$n d ON $same;\nIF ROW_COUNT() <> $deletes THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'gitted: changed'; END IF;\nEND //\n";
    }
    my @statements = $masked ? inserts_of(quoted($name), "gitted_insert_$n", "gitted_kept_$n", $table, $masked->{key}, \@columns, $masked->{columns}) : 'INSERT INTO ' . quoted($name) . " ($names) SELECT $names FROM gitted_insert_$n";
    print "BEGIN NOT ATOMIC\nDECLARE arrived BIGINT DEFAULT 0;\n", (map { "$_;\nSET arrived = arrived + ROW_COUNT();\n" } @statements), "IF arrived <> $inserts THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'gitted: not all rows arrived'; END IF;\nEND //\n" if $inserts;
    print "DELIMITER ;\n";
}
