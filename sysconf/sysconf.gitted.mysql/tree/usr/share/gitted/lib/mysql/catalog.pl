# What a database holds, asked from information_schema; read by the other programs of this directory.
use strict;
use warnings;

our $client = $ENV{GITTED_MYSQL_CLIENT};     # the client's options, divided by line ends
our @connect = split /\n/, $ENV{GITTED_MYSQL_OPTIONS} // '';

sub fail { print STDERR "@_\n"; exit 1 }
sub hexed { return unpack 'H*', $_[0] }
sub quoted { my ($name) = @_; $name =~ s/`/``/g; return "`$name`" }
sub literal { return $_[0] eq '' ? "''" : "X'" . hexed($_[0]) . "'" }

# Rows of a query; every value must come in hexadecimal or be plain.
sub rows_of {
    my ($query) = @_;
    open my $in, '-|', 'mariadb', @connect, '-N', '-B', '--raw', '-e', "SET NAMES utf8mb4; SET SESSION group_concat_max_len = 1073741824; $query" or fail("mariadb: $!");
    my @rows = map { chomp; [split /\t/, $_, -1] } <$in>;
    close $in or fail('The database could not be read.');
    return @rows;
}

# How a column's value is written, and how it is read back from a variable: [write, read].
# HEX for what is bytes; FLOAT by way of DOUBLE, since its own text has six digits; uuid and inet as text.
sub text_of {
    my ($column, $of) = @_;
    my $c = ($of // 'q') . '.' . quoted($column->{name});
    my $type = $column->{type};
    return ["IF($c IS NULL, '\\\\N', IFNULL(HEX($c), '\\\\!'))", sub { "UNHEX($_[0])" }] if $type =~ /^(binary|varbinary|tinyblob|blob|mediumblob|longblob|geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geometrycollection)$/;
    return ["IFNULL(HEX($c), '\\\\N')", sub { "CAST(CONV($_[0], 16, 10) AS UNSIGNED)" }] if $type eq 'bit';
    return ["IFNULL($c + 0e0, '\\\\N')", sub { $_[0] }] if $type eq 'float';
    return ["IFNULL(CAST($c AS CHAR), '\\\\N')", sub { $_[0] }] if $type =~ /^(uuid|inet4|inet6)$/;
    return ["IFNULL($c, '\\\\N')", sub { $_[0] }] if $type =~ /^(tinyint|smallint|mediumint|int|bigint|decimal|double|date|time|datetime|timestamp|year)$/;
    # By bytes: with a collation of letters, each REPLACE goes through the text character by character, which is half of an export.
    my $text = ($column->{charset} // '') eq 'utf8mb4' ? "($c COLLATE utf8mb4_bin)" : "(CONVERT($c USING utf8mb4) COLLATE utf8mb4_bin)";
    $text = "REPLACE($text, $_)" for q('\\\\', '\\\\\\\\'), q('\t', '\\\\t'), q('\n', '\\\\n'), q('\r', '\\\\r'), q('\0', '\\\\0');
    return ["IF($c IS NULL, '\\\\N', IFNULL($text, '\\\\!'))", sub { $_[0] }];
}

# One text of several columns, whatever character sets they have.
sub joined { return "CONCAT_WS(',', " . join(', ', "''", map { 'CONVERT(' . text_of($_)->[0] . ' USING utf8mb4)' } @_) . ')' }

# [{name, kind (table, view or sequence), engine, columns => [...], key => [...]}, ...] in order of names.
sub tables_of {
    my ($database) = @_;
    my $in = 'TABLE_SCHEMA = ' . literal($database);
    my (@tables, %by_name);
    # All at once, since each start of the client takes longer than what it asks.
    my $questions = "SELECT 't', HEX(TABLE_NAME), TABLE_TYPE, IFNULL(ENGINE, '') FROM information_schema.TABLES WHERE $in ORDER BY BINARY TABLE_NAME;
        SELECT 'c', HEX(TABLE_NAME), HEX(COLUMN_NAME), DATA_TYPE, IS_NULLABLE, EXTRA, IF(COLUMN_TYPE LIKE '%unsigned%', 1, 0), IF(COLUMN_DEFAULT IS NULL, 0, 1), IFNULL(CHARACTER_MAXIMUM_LENGTH, 0), IFNULL(CHARACTER_SET_NAME, '')
            FROM information_schema.COLUMNS WHERE $in ORDER BY TABLE_NAME, ORDINAL_POSITION;
        SELECT 'i', HEX(TABLE_NAME), HEX(INDEX_NAME), HEX(COLUMN_NAME), IF(SUB_PART IS NULL, 1, 0) FROM information_schema.STATISTICS WHERE $in AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX;";
    for (rows_of($questions)) {
        my ($what, $table, @f) = @$_;
        if ($what eq 't') {
            my %t = (name => pack('H*', $table), kind => $f[0] eq 'VIEW' ? 'view' : $f[0] eq 'SEQUENCE' ? 'sequence' : 'table', type => $f[0], engine => $f[1], columns => [], indexes => {});
            push @tables, \%t;
            $by_name{$table} = \%t;
        }
        elsif (!$by_name{$table}) { next }
        elsif ($what eq 'c') {
            my ($name, $type, $nullable, $extra, $unsigned, $has_default, $length, $charset) = @f;
            push @{ $by_name{$table}{columns} }, { name => pack('H*', $name), type => $type, nullable => $nullable eq 'YES', unsigned => $unsigned, has_default => $has_default, size => $length, charset => $charset }
                unless $extra =~ /GENERATED|STORED|VIRTUAL/;
        }
        else { push @{ $by_name{$table}{indexes}{ pack 'H*', $f[0] } }, $f[2] ? pack('H*', $f[1]) : undef }
    }
    for my $t (@tables) {
        my %column = map { $_->{name} => $_ } @{ $t->{columns} };
        my $whole = sub { my $i = $t->{indexes}{ $_[0] }; return !grep { !defined $_ || !$column{$_} || $column{$_}{nullable} } @$i };
        my ($best) = sort { ($b eq 'PRIMARY') <=> ($a eq 'PRIMARY') || @{ $t->{indexes}{$a} } <=> @{ $t->{indexes}{$b} } || $a cmp $b } grep { $whole->($_) } keys %{ $t->{indexes} };
        $t->{key} = defined $best ? [map { $column{$_} } @{ $t->{indexes}{$best} }] : [];
    }
    return @tables;
}

1;
