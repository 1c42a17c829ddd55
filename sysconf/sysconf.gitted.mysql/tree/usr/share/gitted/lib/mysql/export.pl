#!/usr/bin/perl
# export.pl DATABASE DIRECTORY: run while nobody may write. Writes to DIRECTORY the dumps of the schema and
# export.sql, the statements whose output is the stream for gitted-split.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');
our @connect;

my ($database, $to) = @ARGV;

sub dump_of {
    my (@options) = @_;
    open my $in, '-|', 'mariadb-dump', @connect, qw(--no-data --skip-comments --skip-dump-date --skip-add-drop-table --skip-lock-tables --skip-triggers --default-character-set=utf8mb4 --hex-blob), @options or fail("mariadb-dump: $!");
    my @lines = <$in>;
    close $in or fail('mariadb-dump failed, see above.');
    my $own = quotemeta quoted($database);
    my $text = '';
    for (@lines) {
        next if m{^/\*M!999999\\- enable the sandbox mode} || /^DO SETVAL\(/;
        s/^(\) ENGINE=.*?) AUTO_INCREMENT=\d+/$1/;
        s/\b(nextval|lastval|setval)\($own\./$1(/g if /^  `/;
        $text .= $_;
    }
    return $text;
}

sub write_file { my ($name, $text) = @_; open my $out, '>:raw', "$to/$name" or fail("$to/$name: $!"); print $out $text; close $out or fail("$to/$name: $!"); }

my @all = tables_of($database);
my %left_out = map { pack('H*', $_) => 1 } split / /, $ENV{GITTED_LEFT_OUT} // '';
my %masked;
for (split / /, $ENV{GITTED_MASKED} // '') { my ($table, $column) = map { pack 'H*', $_ } split /,/; $masked{$table}{$column} = 1; }
check_secrets() if @all;

# A name that is not there would be a secret that is not kept. Only in a database without tables there is nothing to keep.
sub check_secrets {
    my %table = map { $_->{name} => $_ } grep { $_->{kind} eq 'table' } @all;
    my $unknown = sub { fail("The binding keeps back $_[0], which is not there, expected tables in GITTED_MYSQL_LEAVE_OUT and columns in GITTED_MYSQL_MASK") };
    for (sort keys %left_out) { $unknown->($_) unless $table{$_}; }
    for my $name (sort keys %masked) {
        my $t = $table{$name} or $unknown->($name);
        for my $column (sort keys %{ $masked{$name} }) { $unknown->("$name.$column") unless grep { $_->{name} eq $column } @{ $t->{columns} }; }
        next if $left_out{$name};
        fail("$name has masked columns and no key without them, expected a key, or the table in GITTED_MYSQL_LEAVE_OUT") if !@{ $t->{key} } || grep { $masked{$name}{ $_->{name} } } @{ $t->{key} };
    }
}
my @tables = grep { $_->{kind} eq 'table' } @all;
my @views = map { $_->{name} } grep { $_->{kind} eq 'view' } @all;
my @stored = map { $_->{name} } grep { $_->{kind} ne 'view' } @all;
my $name = literal($database);
my ($facts) = rows_of("SELECT (SELECT count(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = $name), (SELECT count(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = $name),
    (SELECT count(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = $name), VERSION(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = $name;");
my ($routines, $triggers, $events, $version, @set) = @$facts;
write_file('pre-data.sql', @stored ? dump_of('--', $database, @stored) : '');
# Views may call routines, triggers may read views.
write_file('post-data.sql', ($routines ? dump_of('--no-create-info', '--routines', '--', $database) : '')
                          . (@views ? dump_of('--', $database, @views) : '')
                          . ($triggers ? dump_of('--no-create-info', '--triggers', '--', $database) : ''));
write_file('events.sql', $events ? dump_of('--no-create-info', '--events', '--', $database) : '');

my $sql = '';
my $heading = sub { $sql .= "SELECT CONCAT('\\\\.', '\\t', " . join(", '\\t', ", map { "'$_'" } @_) . ");\n" };
$heading->('manifest');
$sql .= "SELECT 'engine\\tmysql';\nSELECT 'server\\t" . join('.', ($version =~ /(\d+)\.(\d+)/)) . "';\nSELECT 'encoding\\t$set[0]\\t$set[1]';\n";
# An import must not take for gone what was only kept back.
$sql .= "SELECT 'left-out\\t\\t" . hexed($_) . "';\n" for sort keys %left_out;
$sql .= "SELECT 'masked\\t\\t" . hexed($_) . "\\t" . join(',', map { hexed($_) } sort keys %{ $masked{$_} }) . "';\n" for grep { !$left_out{$_} } sort keys %masked;
# What is not transactional is read before anybody may write again.
my $locked = 1;
for my $t ((grep { $_->{engine} ne 'InnoDB' } @tables), undef, (grep { $_->{engine} eq 'InnoDB' } @tables)) {
    if (!defined $t) { $sql .= "UNLOCK TABLES;\n"; next; }
    next if $left_out{ $t->{name} };
    my @columns = grep { !$masked{ $t->{name} }{ $_->{name} } } @{ $t->{columns} };
    my @key = @{ $t->{key} };
    my %place = map { $columns[$_]{name} => $_ } 0 .. $#columns;
    my $kind = @key == 1 && $key[0]{type} =~ /int$/ && !($key[0]{type} eq 'bigint' && $key[0]{unsigned}) ? 'int' : @key == 1 && $key[0]{type} eq 'uuid' ? 'uuid' : 'hash';
    my @texts = map { text_of($_)->[0] } @columns;
    my $row = 'MD5(' . joined(@columns) . ')';
    my $hash = 'LEFT(' . (@key ? 'MD5(' . joined(@key) . ')' : $row) . ', 16)';
    my $order = @key ? join ', ', map { $_->{type} eq 'uuid' ? 'CAST(q.' . quoted($_->{name}) . ' AS CHAR)' : 'q.' . quoted($_->{name}) } @key : $row;
    $heading->('table', '', hexed($t->{name}), $kind, $kind eq 'hash' ? -1 : $place{ $key[0]{name} }, @key ? join(',', map { hexed($_->{name}) } @key) : '-', join ',', map { hexed($_->{name}) } @columns);
    $sql .= 'SELECT ' . join(', ', ($kind eq 'hash' ? $hash : ()), @texts) . ' FROM ' . quoted($t->{name}) . " q ORDER BY $order;\n";
}
$heading->('counters', 'counters.tsv');
$sql .= 'SELECT HEX(\'auto_increment\'), HEX(TABLE_NAME), AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ' . literal($database) . " AND AUTO_INCREMENT IS NOT NULL AND TABLE_TYPE <> 'SEQUENCE'" . join('', map { ' AND TABLE_NAME <> ' . literal($_) } sort keys %left_out) . " ORDER BY BINARY TABLE_NAME;\n";
$sql .= "SELECT HEX('sequence'), '" . hexed($_->{name}) . "', next_not_cached_value, cycle_count FROM " . quoted($_->{name}) . ";\n" for grep { $_->{kind} eq 'sequence' } @all;
$heading->('token');
$sql .= "SELECT \@gitted_token;\n";
$heading->('end');
write_file('export.sql', $sql);
