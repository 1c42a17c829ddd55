#!/usr/bin/perl
# load.pl DATABASE DIR SECRETS LIVE FEED < FILES: prints the script that loads the files that gitted-rows check listed. What
# the files do not have (SECRETS, from gitted-rows secrets) comes from the database LIVE, which may be ''.
# Before each table stands its path, after it what the server warned of: LOCAL turns errors into warnings.
# All files of a table go through a pipe of its own, FEED.N, as they are listed: a statement for each takes a quarter longer.
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_NONBLOCK F_GETFL F_SETFL);
use File::Basename;
use POSIX qw(mkfifo);
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

# The statements that insert rows into a table whose masked columns keep what they are in the table $kept. In rows that
# are new they get their default, and where they must not be empty something that is plainly nobody's.
sub inserts_of {
    my ($into, $rows, $kept, $table, $key, $columns, $masked) = @_;
    my %column = map { $_->{name} => $_ } @{ $table->{columns} };
    my @fill = grep { !$_->{nullable} && !$_->{has_default} } map { $column{$_} or fail("manifest.tsv:1: table $table->{name} has no column $_, expected it for the line masked") } @$masked;
    my $value = sub {
        my ($c) = @_;
        return "LEFT(CONCAT('masked ', UUID()), " . ($c->{size} < 43 ? $c->{size} : 43) . ')' if $c->{type} =~ /(char|text)$/;
        return $c->{type} =~ /^(date|datetime|timestamp)$/ ? "'1970-01-01'" : $c->{type} =~ /(int|decimal|float|double|bit|year)$/ ? '0' : "''";
    };
    my $list = sub { my ($of, @names) = @_; return join ', ', map { $of . quoted($_) } @names };
    my $same = join ' AND ', map { 'r.' . quoted($_) . ' = k.' . quoted($_) } @$key;
    my @statements;
    push @statements, "INSERT INTO $into (" . $list->('', @$columns, @$masked) . ') SELECT ' . $list->('r.', @$columns) . ', ' . $list->('k.', @$masked) . " FROM $rows r JOIN $kept k ON $same" if $kept ne '';
    push @statements, "INSERT INTO $into (" . $list->('', @$columns, map { $_->{name} } @fill) . ') SELECT ' . join(', ', $list->('r.', @$columns), map { $value->($_) } @fill) . " FROM $rows r"
        . ($kept eq '' ? '' : " LEFT JOIN $kept k ON $same WHERE k." . quoted($key->[0]) . ' IS NULL');
    return @statements;
}

# {tables => [names], masked => {NAME => {key, columns}}} of what gitted-rows secrets or plan wrote.
sub secrets_in {
    my ($file) = @_;
    my %found = (left_out => [], masked => {});
    open my $in, '<', $file or return \%found;
    while (<$in>) {
        chomp;
        my @f = split /\t/, $_, -1;
        if ($f[0] eq 'left-out') { push @{ $found{left_out} }, pack 'H*', $f[3]; next; }
        shift @f if @f == 6;
        $found{masked}{ pack 'H*', $f[2] } = { map { $_->[0] => [map { pack 'H*', $_ } split /,/, $_->[1]] } ['key', $f[3]], ['columns', $f[4]] };
    }
    return \%found;
}

# Opens the pipe once the client reads from it; where the client has ended instead, the empty line ends us too.
# Each table has its own: of the one before, the client may still be reading the end.
sub open_feed {
    my ($feed) = @_;
    my $out;
    until (sysopen $out, $feed, O_WRONLY | O_NONBLOCK) {
        fail("$feed: $!") unless $!{ENXIO};
        print "\n";
        select undef, undef, undef, 0.002;
    }
    fcntl $out, F_SETFL, fcntl($out, F_GETFL, 0) & ~O_NONBLOCK or fail("$feed: $!");
    unlink $feed;
    return $out;
}

sub feed_file {
    my ($out, $file) = @_;
    open my $in, '<:raw', $file or fail("$file: $!");
    my $last = "\n";
    while (my $length = sysread $in, my $part, 1 << 20) {
        $last = substr $part, -1;
        for (my $at = 0; $at < $length;) { $at += syswrite($out, $part, $length - $at, $at) // fail("$file: $!"); }
    }
    syswrite $out, "\n" if $last ne "\n";
}

sub load_all {
    my ($secrets, $live, $feed) = @_;
    $| = 1;
    my %live = map { $_->{name} => $_ } $live eq '' ? () : tables_of($live);
    my ($number, $current, $out, $open, @columns) = (0, '', undef, '');
    my $finish = sub {
        $out = undef;
        return if $open eq '';
        my ($masked, %there) = ($secrets->{masked}{$open}, map { $_->{name} => 1 } @{ ($live{$open} // {})->{columns} // [] });
        my $kept = (grep { !$there{$_} } @{ $masked->{key} }, @{ $masked->{columns} }) ? '' : quoted($live) . '.' . quoted($open);
        print "$_;\n" for inserts_of(quoted($open), 'gitted_rows', $kept, $table{$open}, $masked->{key}, \@columns, $masked->{columns});
        print "DROP TEMPORARY TABLE gitted_rows;\n";
        $open = '';
    };
    while (<STDIN>) {
        chomp;
        my ($place, $name, $path, $columns) = split /\t/, $_, -1;
        $name = pack 'H*', $name;
        my $table = $table{$name} or fail("$path:1: there is no table $name, expected it in schema/pre-data.sql");
        if ($place ne $current) {
            $finish->();
            $current = $place;
            my $into = quoted($name);
            @columns = map { pack 'H*', $_ } split /,/, $columns // '';
            if ($secrets->{masked}{$name}) { $open = $name; print 'CREATE TEMPORARY TABLE gitted_rows ENGINE=InnoDB AS SELECT ', join(', ', map { quoted($_) } @columns), " FROM $into LIMIT 0;\n"; }
            my $pipe = "$feed." . ++$number;
            mkfifo($pipe, 0600) or fail("$pipe: $!");
            print "SELECT 'table $place';\n", load_of($pipe, $open ne '' ? 'gitted_rows' : $into, $table, @columns);
            $out = open_feed($pipe);
        }
        feed_file($out, "$dir/$path");
    }
    $finish->();
    for my $name (@{ $secrets->{left_out} }) {
        my $table = $table{$name} or fail("manifest.tsv:1: the table $name is left out, and is not in schema/pre-data.sql, expected it there");
        my %there = map { $_->{name} => 1 } @{ ($live{$name} // next)->{columns} };
        my $names = join ', ', map { quoted($_) } grep { $there{$_} } map { $_->{name} } @{ $table->{columns} };
        print 'INSERT INTO ', quoted($name), " ($names) SELECT $names FROM ", quoted($live), '.', quoted($name), ";\n" if $names ne '';
    }
    print "COMMIT;\n";
    for my $name (grep { $live{$_} } @{ $secrets->{left_out} }) {
        my ($number) = map { $_->[0] } rows_of('SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE AUTO_INCREMENT IS NOT NULL AND TABLE_SCHEMA = ' . literal($live) . ' AND TABLE_NAME = ' . literal($name) . ';');
        print 'ALTER TABLE ', quoted($name), " AUTO_INCREMENT = $number;\n" if defined $number;
    }
    print "SELECT 'loaded';\n";
}

if (!caller) {
    print "SET SESSION autocommit = 0;\nSET SESSION unique_checks = 0;\n";
    load_all(secrets_in($ARGV[2]), $ARGV[3], $ARGV[4]);
}
1;
