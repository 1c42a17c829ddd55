# Scripts for psql that bring rows into a database: rows.pl COMMAND ...
#   load DIR SUFFIX COUNTS    loads all tables; COUNTS becomes TABLE and rows; beside it lie kept.TABLE, masked values
#   script STAGE SQL DIR OLD COMMIT|ROLLBACK   applies the planned rows in one transaction; SQL is where its parts lie
#   look STAGE SQL            whether the touched tables can be changed row by row, and where many rows would go
#   counting DIR COUNTS       a query that counts the tables of COUNTS
#   counters FILE             sets the sequences
use strict;
use warnings;
require "$ENV{GITTED_LIB}/manifest.pl";
our $list;

sub quoted { my $name = pack 'H*', $_[0]; $name =~ s/"/""/g; return "\"$name\"" }

sub quoted_list { return join ', ', map { $_[1] . quoted($_) } split /,/, $_[0] }

sub load {
    my ($dir, $suffix, $counts) = @_;
    my $m = read_manifest("$dir/manifest.tsv", 'manifest.tsv') or fail('manifest.tsv:1: there is no manifest, expected one');
    my @counts;
    for my $table ((map { $m->{tables}{$_} } @{ $m->{order} }), { path => 'large-objects/pages', width => 3 }) {
        my @files = glob_rows($dir, $table->{path}, $suffix) or next;
        my $rows = 0;
        my $columns = quoted_list(hexed_list($table->{columns} // ''), '');
        my $into = defined $table->{name} ? quoted(hexed($table->{schema})) . '.' . quoted(hexed($table->{name})) . ($columns eq '' ? '' : " ($columns)") : 'pg_temp.gitted_pages';
        if ($table->{masked}) {
            (my $live = $into) =~ s/ \(.*//s;
            print "CREATE TEMP TABLE gitted_rows AS SELECT $columns FROM $live WITH NO DATA;\n";
            $into = 'pg_temp.gitted_rows';
        }
        print "\\echo $table->{path}\nCOPY $into FROM STDIN;\n";
        for my $path (@files) {
            my $text = read_rows($dir, $path, $table->{width});
            exit 1 unless defined $text;
            $rows += $text =~ tr/\n//;
            print $text or exit 1;
        }
        print "\\.\n";
        print_kept($table, ($counts =~ s{[^/]*$}{kept.$table->{path}}r)) if $table->{masked};
        push @counts, "$table->{path}\t$rows" if defined $table->{name};
    }
    write_lines($counts, @counts);
    print "\\echo loaded\n";
}

# Rows of pg_temp.gitted_rows with the masked values that the live table has for their keys, from a file of COPY.
sub print_kept {
    my ($table, $file) = @_;
    my ($live, @lists) = (quoted(hexed($table->{schema})) . '.' . quoted(hexed($table->{name})), map { hexed_list($_) } @$table{qw(key columns masked)});
    print "CREATE TEMP TABLE gitted_kept AS SELECT ", quoted_list("$lists[0],$lists[2]", ''), " FROM $live WITH NO DATA;\n";
    print "COPY pg_temp.gitted_kept FROM STDIN;\n", slurp($file), "\\.\n" if -e $file;
    print_inserts($live, 'pg_temp.gitted_rows', 'pg_temp.gitted_kept', @lists);
    print "DROP TABLE pg_temp.gitted_rows, pg_temp.gitted_kept;\n";
}

# Masked columns keep what they are. In rows that are new they get their default, and where they must not be empty
# something that is plainly nobody's.
sub print_inserts {
    my ($table, $rows, $kept, $key, $columns, $masked) = @_;
    my $same = join ' AND ', map { 'r.' . quoted($_) . ' = k.' . quoted($_) } split /,/, $key;
    my ($names, $more, $values) = (quoted_list($columns, ''), quoted_list($masked, ''), quoted_list($columns, 'r.'));
    my $hexes = join ', ', map { "'$_'" } split /,/, $masked;
    print "INSERT INTO $table ($names, $more) OVERRIDING SYSTEM VALUE SELECT $values, ", quoted_list($masked, 'k.'), " FROM $rows r JOIN $kept k ON $same;\n";
    print <<"SQL";
SELECT coalesce(string_agg(', ' || quote_ident(attname), '' ORDER BY attnum), '') AS fill_names,
       coalesce(string_agg(', ' || CASE typcategory
           WHEN 'S' THEN format('pg_catalog.left(''masked '' || pg_catalog.md5(pg_catalog.random()::pg_catalog.text), %s)', CASE WHEN atttypmod > 4 THEN atttypmod - 4 ELSE 40 END)
           WHEN 'N' THEN '0' WHEN 'B' THEN 'false' WHEN 'D' THEN '''epoch''' ELSE 'NULL' END, '' ORDER BY attnum), '') AS fill_values
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE attrelid = \$gitted\$$table\$gitted\$::pg_catalog.regclass AND pg_catalog.encode(pg_catalog.convert_to(attname, 'UTF8'), 'hex') IN ($hexes)
   AND attnotnull AND NOT atthasdef AND attidentity = '' \\gset gitted_
INSERT INTO $table ($names :gitted_fill_names) OVERRIDING SYSTEM VALUE SELECT $values :gitted_fill_values FROM $rows r WHERE NOT EXISTS (SELECT FROM $kept k WHERE $same);
SQL
}

# Deletes all, then inserts all: a changed row is both, so that no order of updates can clash.
# A row is deleted only if it is still what the plan says.
sub apply {
    my ($stage) = @_;
    my %masked = map { (split /\t/)[0, 4] } split /\n/, slurp("$stage/masked");
    for (split /\n/, slurp("$stage/touched")) {
        my ($n, $path, $schema, $name, $key, $columns, $deletes, $inserts) = split /\t/;
        my $table = quoted($schema) . '.' . quoted($name);
        my $names = quoted_list($columns, '');
        my ($old, $live) = map { 'ROW(' . quoted_list($columns, $_) . ')::pg_catalog.text' } 'd.', 't.';
        print "\\set gitted_table '$path'\nSELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END AS only FROM pg_catalog.pg_class WHERE oid = \$gitted\$$table\$gitted\$::pg_catalog.regclass \\gset gitted_\n";
        for (['delete', $deletes], ['insert', $inserts]) {
            my ($what, $rows) = @$_;
            print "\\echo $n $what\nCREATE TEMP TABLE gitted_${what}_$n ON COMMIT DROP AS SELECT $names FROM $table WITH NO DATA;\n";
            print "COPY pg_temp.gitted_${what}_$n FROM STDIN;\n", slurp("$stage/$n.$what"), "\\.\n" if $rows;
        }
        print "\\echo $n apply\n";
        if ($masked{$path}) {
            my $same = join ' AND ', map { 't.' . quoted($_) . ' = d.' . quoted($_) } split /,/, $key;
            print "CREATE TEMP TABLE gitted_kept_$n ON COMMIT DROP AS SELECT ", quoted_list("$key,$masked{$path}", 't.'), " FROM :gitted_only $table t JOIN pg_temp.gitted_delete_$n d ON $same;\n";
        }
        if ($deletes && $key ne '-') {
            my $same = join ' AND ', map { 't.' . quoted($_) . ' = d.' . quoted($_) } split /,/, $key;
            print "WITH gone AS (DELETE FROM :gitted_only $table t USING pg_temp.gitted_delete_$n d WHERE $same AND $live = $old RETURNING 1)\n";
        } elsif ($deletes) {
            my ($q) = 'ROW(' . quoted_list($columns, 'q.') . ')::pg_catalog.text';
            print "WITH wanted AS (SELECT $old AS r, count(*) AS n FROM pg_temp.gitted_delete_$n d GROUP BY 1),\n",
                  "there AS (SELECT q.tableoid AS o, q.ctid AS c, $q AS r, row_number() OVER (PARTITION BY $q) AS nr FROM :gitted_only $table q),\n",
                  "gone AS (DELETE FROM :gitted_only $table t WHERE (t.tableoid, t.ctid) IN (SELECT o, c FROM there JOIN wanted USING (r) WHERE nr <= n) RETURNING 1)\n";
        }
        if ($deletes) {
            print "SELECT count(*) = $deletes AS right FROM gone \\gset gitted_\n\\if :gitted_right\n\\else\n\\echo changed\nSELECT 1/0;\n\\endif\n";
        }
        if ($inserts && $masked{$path}) { print_inserts($table, "pg_temp.gitted_insert_$n", "pg_temp.gitted_kept_$n", $key, $columns, $masked{$path}); next; }
        print 'INSERT INTO ', $table, ($names eq '' ? '' : " ($names) OVERRIDING SYSTEM VALUE"), " SELECT $names FROM pg_temp.gitted_insert_$n;\n" if $inserts;
    }
    print "\\echo applied\n";
}

# The touched tables as a subquery (n, rel, deletes, inserts, lost, path).
sub touched_tables {
    my ($stage) = @_;
    my @rows = map { my @f = split /\t/; my $rel = quoted($f[2]) . '.' . quoted($f[3]); "($f[0], \$gitted\$$rel\$gitted\$::pg_catalog.regclass, $f[6], $f[7], $f[8], '$f[1]')" } split /\n/, slurp("$stage/touched");
    @rows = ("(0, 'pg_catalog.pg_class'::pg_catalog.regclass, 0, 0, 0, '')") unless @rows;
    return '(SELECT * FROM (VALUES ' . join(', ', @rows) . ') v(n, rel, deletes, inserts, lost, path) WHERE n > 0)';
}

# Triggers and rules that fire always would do so, and exclusion constraints that are checked late would not be.
sub look {
    my ($stage, $sql) = @_;
    my $touched = touched_tables($stage);
    print slurp("$sql/settings.sql"), <<"SQL";
SELECT format('SELECT %L, count(*), %s FROM %s', path, lost, rel) FROM $touched t WHERE lost > 10 \\gexec
SELECT 'whole' WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN $touched t ON t.rel = g.tgrelid WHERE g.tgenabled IN ('A', 'R'))
    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r JOIN $touched t ON t.rel = r.ev_class WHERE r.ev_enabled IN ('A', 'R') AND r.ev_type <> '1')
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint x JOIN $touched t ON t.rel = x.conrelid WHERE x.contype = 'x' AND x.condeferrable);
SQL
}

sub line_of { my ($file) = @_; return -e $file ? (split(/\n/, slurp($file)))[0] // '' : '' }

sub literal { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }

sub script {
    my ($stage, $sql, $dir, $old, $end) = @_;
    my ($touched, $token, $base, $counted) = (touched_tables($stage), slurp("$sql/token.sql"), line_of("$stage/base"), line_of("$stage/counted"));
    my $now = q{concat_ws('.', :'gitted_server', :'gitted_snapshot', :'gitted_counters')};
    print slurp("$sql/settings.sql"), <<"SQL";
-- Types of extensions have their operators elsewhere.
SELECT pg_catalog.set_config('search_path', coalesce(string_agg(DISTINCT pg_catalog.quote_ident(n.nspname), ', '), ''), false) AS path
  FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE oprname = '=' AND n.nspname <> 'pg_catalog' \\gset gitted_
SET session_replication_role = replica;
BEGIN;
\\echo lock
SELECT format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', rel) FROM $touched t ORDER BY rel::oid \\gexec
SQL
    if ($end eq 'COMMIT') {
        my ($since, $counters) = (split /\./, $base)[-2, -1];
        print "\\echo changed\n$token",
              "SELECT $now IN (", literal($base), ', ', literal(line_of("$stage/now")), ") AS same \\gset gitted_\n",
              "\\if :gitted_same\n\\else\n\\set gitted_since '$since'\n", slurp("$sql/check.sql"),
              "SELECT 1 / (:'gitted_counters' = '$counters' AND :'gitted_counted' = '$counted' AND :gitted_newer = 0)::int AS same \\gset gitted_\n\\endif\n";
    }
    print "CREATE TEMP TABLE gitted_touched ON COMMIT DROP AS SELECT * FROM $touched t;\n";
    apply($stage);
    print "\\echo foreign keys\n", slurp("$sql/foreign-keys.sql"), "\n";
    counters("$dir/sequences.tsv", $old eq '' ? '' : "$old/sequences.tsv");
    # Told before the end, so that a crash in between can be looked into. The pipe is closed, and so written, by \o.
    print $token, <<"SQL";
\\o | cat >&7
SELECT pg_catalog.pg_current_xact_id(), :'gitted_counters';
\\o
$end;
$token\\echo done
SELECT 'token', $now;
SELECT 'counted', coalesce(string_agg(o || '=' || n, ',' ORDER BY o) FILTER (WHERE n <> 0), '') FROM (SELECT o, sum(n) AS n FROM (
    SELECT pg_catalog.split_part(c, '=', 1)::bigint AS o, pg_catalog.split_part(c, '=', 2)::bigint AS n FROM pg_catalog.unnest(pg_catalog.string_to_array('$counted', ',')) c WHERE c <> ''
    UNION ALL SELECT rel::oid::bigint, inserts - deletes FROM $touched t) r GROUP BY o) s;
SQL
}

sub counting {
    my ($dir, $counts) = @_;
    my $m = read_manifest("$dir/manifest.tsv", 'manifest.tsv');
    for (split /\n/, slurp($counts)) {
        my ($path) = split /\t/;
        my $table = $m->{tables}{$path};
        my $rel = quoted(hexed($table->{schema})) . '.' . quoted(hexed($table->{name}));
        print "SELECT '$path', (CASE (SELECT relkind FROM pg_catalog.pg_class WHERE oid = \$gitted\$$rel\$gitted\$::pg_catalog.regclass) WHEN 'p' THEN (SELECT count(*) FROM $rel) ELSE (SELECT count(*) FROM ONLY $rel) END);\n";
    }
}

sub counters {
    my ($file, $old) = (@_, '');
    my %same = map { $_ => 1 } $old ne '' && -f $old ? split /\n/, slurp($old) : ();
    my $number = 0;
    for (-f $file ? split /\n/, slurp($file) : ()) {
        $number++;
        my ($schema, $name, $value, $called, @more) = split /\t/, $_, -1;
        complain("sequences.tsv:$number: \"$_\", expected schema, name, a number, and t or f, divided by tabs"), next
            if @more || ($called // '') !~ /^[tf]$/ || $value !~ /^-?\d{1,19}$/ || "$schema,$name" !~ /^$list$/;
        next if $same{$_};
        my $sequence = quoted(hexed($schema)) . '.' . quoted(hexed($name));
        # RESTART gives the sequence new storage, which a rollback takes back; setval alone would stay.
        print "\\echo sequences.tsv:$number\nALTER SEQUENCE $sequence RESTART;\nSELECT pg_catalog.setval(\$gitted\$$sequence\$gitted\$::pg_catalog.regclass, $value, '$called') \\gset gitted_\n";
    }
    settle();
}

my %commands = (load => \&load, script => \&script, look => \&look, counting => \&counting, counters => \&counters);
my $command = shift // '';
fail("rows.pl: no such command: $command") unless $commands{$command};
$commands{$command}->(@ARGV);
