#!/usr/bin/perl
# swap.pl WHAT DATABASE SHADOW OLD: prints statements.
#   before    what cannot move to another schema goes: triggers of DATABASE, triggers and views of SHADOW
#   rename    one statement: the tables of DATABASE to OLD, those of SHADOW to DATABASE
#   back      the reverse
#   clear     views, routines and events of DATABASE go
#   defaults  defaults that take numbers from a sequence of SHADOW take them from the one of DATABASE
#   sums      the checksums of the tables of DATABASE
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');

my ($what, $database, $shadow, $old) = @ARGV;
my $list = sub { my ($schema, $kinds) = @_; return map { $_->{name} } grep { $_->{kind} =~ /^($kinds)$/ } tables_of($schema) };
my $drop_triggers = sub {
    my ($schema) = @_;
    print 'DROP TRIGGER IF EXISTS ' . quoted($schema) . '.' . quoted(pack 'H*', $_->[0]) . ";\n" for rows_of('SELECT HEX(TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ' . literal($schema) . ';');
};
my $drop_views = sub { my ($schema) = @_; print 'DROP VIEW IF EXISTS ' . quoted($schema) . '.' . quoted($_) . ";\n" for $list->($schema, 'view'); };
my $move = sub { my ($from, $to) = @_; return map { quoted($from) . '.' . quoted($_) . ' TO ' . quoted($to) . '.' . quoted($_) } $list->($from, 'table|sequence') };
if ($what eq 'before') { $drop_triggers->($_) for $database, $shadow; $drop_views->($shadow); }
elsif ($what eq 'rename' || $what eq 'back') {
    my @moves = $what eq 'rename' ? ($move->($database, $old), $move->($shadow, $database)) : ($move->($database, $shadow), $move->($old, $database));
    print 'RENAME TABLE ' . join(', ', @moves) . ";\n" if @moves;
}
elsif ($what eq 'clear') {
    $drop_views->($database);
    for (rows_of('SELECT ROUTINE_TYPE, HEX(ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ' . literal($database) . ';')) { print "DROP $_->[0] IF EXISTS " . quoted($database) . '.' . quoted(pack 'H*', $_->[1]) . ";\n"; }
    for (rows_of('SELECT HEX(EVENT_NAME) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ' . literal($database) . ';')) { print 'DROP EVENT IF EXISTS ' . quoted($database) . '.' . quoted(pack 'H*', $_->[0]) . ";\n"; }
    $drop_triggers->($database);
}
elsif ($what eq 'defaults') {
    my $own = quotemeta quoted($shadow);
    for (rows_of('SELECT HEX(TABLE_NAME), HEX(COLUMN_NAME), HEX(COLUMN_DEFAULT) FROM information_schema.COLUMNS WHERE COLUMN_DEFAULT LIKE \'%val(%\' AND TABLE_SCHEMA = ' . literal($database) . ';')) {
        my ($table, $column, $default) = map { pack 'H*', $_ } @$_;
        print 'ALTER TABLE ' . quoted($database) . '.' . quoted($table) . ' ALTER COLUMN ' . quoted($column) . " SET DEFAULT ($default);\n" if $default =~ s/\b(nextval|lastval|setval)\($own\./"$1(" . quoted($database) . '.'/ge;
    }
}
elsif ($what eq 'sums') {
    # CHECKSUM TABLE comes out otherwise when a trigger is dropped, since rows in memory then have other NULL bits.
    for my $t (grep { $_->{kind} ne 'view' } tables_of($database)) {
        my $from = 'FROM ' . quoted($database) . '.' . quoted($t->{name}) . ' q';
        my $row = $t->{kind} eq 'sequence' ? 'CONCAT(next_not_cached_value, cycle_count)' : joined(@{ $t->{columns} });
        print "SELECT '" . hexed($t->{name}) . "', COUNT(*), IFNULL(SUM(CRC32($row)), 0) $from;\n";
    }
}
