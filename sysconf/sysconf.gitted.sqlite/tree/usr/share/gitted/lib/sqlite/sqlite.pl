# The work of the handler `sqlite`: sqlite.pl VERB FILE [DIR]
#
# A field is NULL as \N, an integer or a real as SQLite writes it, a blob as X'hex',
# text behind one ' with \\ \t \n \r inside, and text with a NUL as T'hex' (SQLite's
# own dump cuts such text off). The first field of a row is its rowid, unless the
# table has a key of its own in that role, or none.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use POSIX ();
use Time::HiRes ();

my ($verb, $file, $dir) = @ARGV;
my $state = $ENV{GITTED_STATE} // die "Error: GITTED_STATE is missing.\n";
my $lib = $ENV{GITTED_LIB} // '/usr/share/gitted/lib';
require "$lib/manifest.pl";
my ($snapshot, $new, $started) = ("$state/snapshot.db", "$state/new.db", "$state/started");
my @pragmas = qw(encoding page_size auto_vacuum application_id user_version journal_mode);

sub name_of { my ($n) = @_; $n =~ s/"/""/g; return qq{"$n"} }
sub text_of { my ($n) = @_; $n =~ s/'/''/g; return "'$n'" }

# Runs one script in SQLite's shell and returns its lines.
sub query {
    my ($database, $sql, @options) = @_;
    open(my $out, '-|', 'sqlite3', '-batch', '-bail', '-init', '/dev/null', '-noheader', '-list', '-cmd', '.timeout 5000', @options, $database, $sql) or fail("sqlite3 cannot be started: $!");
    my @lines = <$out>;
    close $out or fail("sqlite3 refused a step on $database");
    chomp @lines;
    return @lines;
}

# What moves with every commit: nothing less does. In WAL mode neither the main file nor its change counter moves,
# and a log that is used again keeps its size; the head of the shared index has a counter of its own.
sub token {
    return 'absent' unless -s $file;
    my @parts;
    # Opening a database to read it leaves an empty log: no state of its own.
    my @log = -s "$file-wal" ? (["$file-wal", 0, 32], ["$file-shm", 0, 48]) : ();
    for my $part (["$file", 24, 76], @log) {
        my ($name, $from, $length) = @$part;
        my @s = Time::HiRes::stat($name);
        if (!@s) { push @parts, '-'; next }
        open(my $in, '<:raw', $name) or do { push @parts, '?'; next };
        sysseek $in, $from, 0;
        sysread $in, (my $bytes), $length;
        # The index is shared memory: its times say nothing.
        push @parts, ($name =~ /-shm\z/ ? () : ("$s[1]", "$s[7]", $s[9])), unpack 'H*', $bytes // '';
    }
    return md5_hex(join '|', @parts);
}

sub take_snapshot {
    unlink map { $snapshot . $_ } '', qw(-journal -wal -shm);
    query($file, ".backup main '" . ($snapshot =~ s/'/''/gr) . "'", '-readonly');
}

# tables(DB): what holds rows, each with its columns.
sub tables {
    my ($database) = @_;
    my @found;
    for my $line (query($database, q{SELECT hex(name), type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT IN ('sqlite_schema', 'sqlite_temp_schema') AND name NOT LIKE 'sqlite_stat%' ORDER BY name;})) {
        my ($hex, $type, $without_rowid) = split /\|/, $line;
        my %table = (name => pack('H*', $hex), shadow => $type eq 'shadow', without_rowid => $without_rowid);
        my (@columns, %keys, %types);
        for (query($database, 'SELECT hex(name), upper(type), pk, hidden FROM pragma_table_xinfo(' . text_of($table{name}) . ');')) {
            my ($column, $declared, $pk, $hidden) = split /\|/, $_, -1;
            next if $hidden;
            push @columns, pack 'H*', $column;
            $keys{$pk} = $columns[-1] if $pk;
            $types{$columns[-1]} = $declared;
        }
        $table{keys} = [map { $keys{$_} } sort { $a <=> $b } keys %keys];
        my $alias = @{ $table{keys} } == 1 && $types{ $table{keys}[0] } eq 'INTEGER';
        if (!$without_rowid && !$alias) {
            my ($free) = grep { my $n = $_; !grep { lc $_ eq $n } @columns } qw(rowid _rowid_ oid);
            if (defined $free) { unshift @columns, $free; $table{keys} = [$free] }
        }
        $table{columns} = \@columns;
        push @found, \%table;
    }
    return @found;
}

sub field_sql {
    my ($column) = @_;
    my $c = name_of($column);
    return "CASE typeof($c) WHEN 'null' THEN '\\N' WHEN 'integer' THEN $c WHEN 'blob' THEN quote($c) "
        . "WHEN 'real' THEN CASE WHEN $c = 9e999 THEN '9e999' WHEN $c = -9e999 THEN '-9e999' ELSE quote($c) END "
        . "ELSE CASE WHEN instr(CAST($c AS BLOB), x'00') OR instr(CAST($c AS BLOB), x'0a00') THEN 'T''' || hex(CAST($c AS BLOB)) || '''' "
        . "ELSE '''' || replace(replace(replace(replace($c, '\\', '\\\\'), char(9), '\\t'), char(10), '\\n'), char(13), '\\r') END END";
}

sub export_live {
    my $token = token();
    if ($token eq 'absent') { write_whole("$state/token.new", "absent\n"); return }
    take_snapshot();
    open(STDOUT, '>', '/dev/null') or fail("/dev/null: $!");
    open(my $split, '|-', "$lib/gitted-split", $dir, "$dir/manifest.tsv", "$state/spool", 'tsv') or fail("gitted-split cannot be started: $!");
    binmode $split;
    print $split "\\.\tmanifest\nengine\tsqlite\n";
    for my $pragma (@pragmas) { print $split "pragma\t$pragma\t", (query($snapshot, "PRAGMA $pragma;"))[0], "\n" }
    print_schema($split, 'schema/pre-data.sql', "type = 'table'");
    print_schema($split, 'schema/post-data.sql', "type <> 'table'");
    print_table($split, $_) for tables($snapshot);
    print $split "\\.\ttoken\n$token\n\\.\tend\n";
    close $split;
    my $code = $? >> 8;
    unlink map { $snapshot . $_ } '', qw(-journal -wal -shm);
    # A table has outgrown its cut: the same again, which cuts it anew.
    return export_live() if $code == 7;
    fail('the rows could not be written') if $code;
    write_whole("$state/token.new", "$token\n") if token() eq $token;
}

sub print_schema {
    my ($split, $path, $which) = @_;
    my $shadow = q{name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')};
    my @statements = query($snapshot, "SELECT hex(CAST(sql AS BLOB)) FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND $shadow AND $which ORDER BY rowid;");
    return unless @statements;
    print $split "\\.\ttext\t$path\n";
    print $split unpack('H*', pack('H*', $_) . ';'), "\n" for @statements;
}

sub print_table {
    my ($split, $table) = @_;
    my @columns = @{ $table->{columns} };
    my @keys = @{ $table->{keys} };
    my ($place) = grep { @keys && $columns[$_] eq $keys[0] } 0 .. $#columns;
    my $kind = !$table->{without_rowid} && @keys == 1 ? 'int' : 'hash';
    my $hex = sub { join ',', map { unpack 'H*', $_ } @_ };
    print $split join("\t", '\\.', 'table', '', unpack('H*', $table->{name}), $kind, $place // 0, @keys ? $hex->(@keys) : '-', $hex->(@columns)), "\n";
    my $order = @keys ? ' ORDER BY ' . join(', ', map { name_of($_) } @keys) : '';
    my $sql = 'SELECT ' . join(' || char(9) || ', map { field_sql($_) } @columns) . ' FROM ' . name_of($table->{name}) . "$order;";
    my @places = map { my $key = $_; grep { $columns[$_] eq $key } 0 .. $#columns } @keys;
    open(my $out, '-|', 'sqlite3', '-batch', '-bail', '-init', '/dev/null', '-noheader', '-list', '-readonly', $snapshot, $sql) or fail("sqlite3 cannot be started: $!");
    binmode $out;
    while (my $row = <$out>) {
        if ($kind eq 'hash') { my @f = split /\t/, $row, -1; $row = substr(md5_hex(join "\t", @places ? @f[@places] : @f), 0, 16) . "\t$row" }
        print $split $row;
    }
    close $out or fail("the table $table->{name} could not be read");
}

# The values of the pragmas, and the tables with their columns; mistakes are told with their lines.
sub read_database {
    my $m = read_manifest("$dir/manifest.tsv", 'manifest.tsv') or fail('manifest.tsv:1: there is no manifest, expected one');
    complain('manifest.tsv:1: written for ' . ($m->{engine} // 'nothing') . ', expected sqlite') if ($m->{engine} // '') ne 'sqlite';
    check_place($m, $_, 'tsv') for files_below($dir, '');
    for my $pragma (sort keys %{ $m->{pragma} // {} }) { complain("manifest.tsv:1: the pragma $pragma is not known, expected one of @pragmas") unless grep { $_ eq $pragma } @pragmas; }
    settle();
    return ($m->{pragma} // {}, [map { { path => "data/$_->{path}", name => plain($_->{name}), columns => [map { plain($_) } split /,/, $_->{columns}] } } map { $m->{tables}{$_} } @{ $m->{order} }]);
}

my %escapes = ('\\' => '\\', t => "\t", n => "\n", r => "\r");

sub literal {
    my ($field) = @_;
    return 'NULL' if $field eq '\\N';
    return $field if $field =~ /\A-?(?:\d+|9e999)\z/i;
    return real($field) if $field =~ /\A-?\d+\.\d+(?:e[-+]?\d+)?\z/i;
    return $field if $field =~ /\AX'(?:[0-9A-F]{2})*'\z/i;
    return "CAST(X'$1' AS TEXT)" if $field =~ /\AT'((?:[0-9A-F]{2})*)'\z/i;
    return undef unless $field =~ s/\A'//;
    return undef if $field =~ /\\(?![\\tnr])/ && $field =~ /(?:\A|[^\\])(?:\\\\)*\\(?![\\tnr])/;
    $field =~ s/\\([\\tnr])/$escapes{$1}/g;
    $field =~ s/'/''/g;
    return "'$field'";
}

# With more digits than any real has for sure, SQLite's own reading differs between versions: 3.46 takes the largest for
# infinite. Its shell has a function for the value itself.
sub real {
    my ($text) = @_;
    (my $digits = $text) =~ s/e.*//i;
    $digits =~ tr/0-9//cd;
    $digits =~ s/\A0+//;
    return $text if length $digits <= 15;
    my $bits = unpack 'Q>', pack 'd>', scalar POSIX::strtod($text);
    my ($exponent, $fraction) = ($bits >> 52 & 0x7ff, $bits & (1 << 52) - 1);
    return $text if $exponent == 0x7ff;
    return sprintf 'ieee754(%s%s, %d)', $bits >> 63 ? '-' : '', $exponent ? $fraction | 1 << 52 : $fraction, ($exponent || 1) - 1075;
}

# The script that SQLite reads: where it goes, how many lines it has so far, and which file and line the one sought is from.
my ($script, $lines, $sought, $origin);

sub put {
    my ($text, $path, $line) = @_;
    my $more = $text =~ tr/\n//;
    # A row is one statement of many lines at most; a line of a schema file is one of its own.
    $origin //= "$path:" . ($line // $sought - $lines) if defined $sought && $sought <= $lines + $more;
    $lines += $more;
    print $script $text;
}

sub load_table {
    my ($table) = @_;
    my $columns = join ', ', map { name_of($_) } @{ $table->{columns} };
    put('DELETE FROM ' . name_of($table->{name}) . ";\n", 'manifest.tsv', 1);
    opendir(my $handle, "$dir/$table->{path}") or return;
    for my $chunk (sort grep { /\.tsv\z/ } readdir $handle) {
        my $path = "$table->{path}/$chunk";
        open(my $in, '<:raw', "$dir/$path") or fail("$path cannot be read: $!");
        while (my $line = <$in>) {
            chomp $line;
            my @fields = map { literal($_) } split /\t/, $line, -1;
            my ($wrong) = grep { !defined $fields[$_] } 0 .. $#fields;
            if (@fields != @{ $table->{columns} }) { complain("$path:$.: the row has " . @fields . ' fields, expected ' . @{ $table->{columns} }) }
            elsif (defined $wrong) { complain("$path:$.: field " . ($wrong + 1) . " is not understood, expected \\N, a number, 'text, X'hex' or T'hex'") }
            else { put('INSERT INTO ' . name_of($table->{name}) . "($columns) VALUES (" . join(', ', @fields) . ");\n", $path, $.) }
        }
    }
    settle();
}

sub put_script { my ($path) = @_; open(my $in, '<:raw', "$dir/$path") or return; local $/; put(<$in> . "\n", $path) }

sub write_script {
    my ($pragma, $tables) = @_;
    $lines = 0;
    put("PRAGMA $_ = " . ($_ eq 'encoding' ? "'$pragma->{$_}'" : $pragma->{$_}) . ";\n", 'manifest.tsv', 1) for grep { defined $pragma->{$_} && $_ ne 'journal_mode' } @pragmas;
    put("PRAGMA foreign_keys = OFF;\nPRAGMA synchronous = OFF;\nBEGIN;\n", 'manifest.tsv', 1);
    put_script('schema/pre-data.sql');
    load_table($_) for sort { ($a->{name} eq 'sqlite_sequence') <=> ($b->{name} eq 'sqlite_sequence') } @$tables;
    put_script('schema/post-data.sql');
    put("COMMIT;\n", 'manifest.tsv', 1);
}

# Starts a shell that reads a script. Whoever wrote the files may change the database, not run programs or reach other
# files: safe mode refuses that. Tables in which a virtual one keeps its rows must be written (3.42 would not by itself).
sub start_script {
    my ($errors) = @_;
    open(my $kept, '>&', \*STDERR) or fail("standard error: $!");
    open(my $said, '>&', \*STDOUT) or fail("standard output: $!");
    open(STDERR, '>', $errors) or fail("$errors: $!");
    open(STDOUT, '>', '/dev/null') or fail("/dev/null: $!");
    open($script, '|-', 'sqlite3', '-batch', '-bail', '-init', '/dev/null', '-safe', '-cmd', '.dbconfig defensive off', $new);
    open(STDERR, '>&', $kept) or exit 1;
    open(STDOUT, '>&', $said) or exit 1;
}

# The new database is filled beside the live one.
sub stage_new {
    rollback();
    my ($pragma, $tables) = read_database();
    my $errors = "$state/errors";
    start_script($errors);
    binmode $script;
    # It ends at the first mistake and reads no more.
    local $SIG{PIPE} = 'IGNORE';
    write_script($pragma, $tables);
    if (!close $script) { tell_origin($pragma, $tables, slurp($errors)); exit 1 }
    unlink $errors;
    refuse_losses() if -s $file;
    print STDERR '       ' . @$tables . " tables loaded\n";
}

# SQLite counts the lines of the script; people have files.
sub tell_origin {
    my ($pragma, $tables, $said) = @_;
    rollback();
    fail("The new database could not be filled: $said") unless $said =~ /line (\d+): ([^\n]*)/;
    ($sought, my $text) = ($1, $2);
    open($script, '>', '/dev/null');
    write_script($pragma, $tables);
    fail(($origin // 'manifest.tsv:1') . ": $text");
}

sub counts {
    my ($database, @options) = @_;
    my %count;
    for my $line (query($database, q{SELECT hex(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%';}, @options)) {
        my $name = pack 'H*', $line;
        ($count{$name}) = query($database, 'SELECT count(*) FROM ' . name_of($name) . ';', @options);
    }
    return %count;
}

# A table, or more than a fifth of its rows, is lost only when that was said.
sub refuse_losses {
    my %allowed = map { $_ => 1 } split ' ', $ENV{GITTED_ALLOW_DROP} // '';
    my (%before, %after, $bad) = counts($file, '-readonly');
    %after = counts($new);
    for my $name (sort keys %before) {
        my $word = $name =~ s/([^A-Za-z0-9_.])/sprintf '%%%02x', ord $1/ger;
        next if $allowed{all} || $allowed{$word};
        my $lost = $before{$name} - ($after{$name} // 0);
        if (!exists $after{$name}) { print STDERR "This push would drop the table $name. If you mean it: git push -o allow-drop=$word\n"; $bad = 1 }
        elsif ($lost > 20 && $lost * 5 > $before{$name}) { print STDERR "This push would delete $lost of the $before{$name} rows of $name. If you mean it: git push -o allow-drop=$word\n"; $bad = 1 }
    }
    return unless $bad;
    rollback();
    exit 1;
}

sub verify_staged {
    -s $new or fail('nothing was staged');
    my @found = query($new, 'PRAGMA integrity_check;');
    fail("the new database is damaged: $found[0]") unless @found == 1 && $found[0] eq 'ok';
    my @orphans = query($new, 'PRAGMA foreign_key_check;');
    if (@orphans) { my ($table, $rowid, $parent) = split /\|/, $orphans[0]; fail("the row $rowid of $table points to a row of $parent that is not there, and " . $#orphans . ' more') }
}

sub recheck { return !defined $ENV{GITTED_TOKEN} || $ENV{GITTED_TOKEN} eq '' || token() eq $ENV{GITTED_TOKEN} }

# Copies page by page into the live file in one transaction of SQLite's own: connections that have it open go on.
sub commit_staged {
    return unless -s $new;
    if (!-e $started) { exit 4 unless recheck(); write_whole($started, "1\n") }
    my $is_new = !-s $file;
    if ($is_new) { (my $parent = $file) =~ s{/[^/]*\z}{}; system('mkdir', '-p', '--', $parent) == 0 or exit 1 }
    query($file, ".restore main '" . ($new =~ s/'/''/gr) . "'");
    my ($mode) = map { /^pragma\tjournal_mode\t(\w+)/ ? $1 : () } manifest_lines();
    query($file, 'PRAGMA journal_mode = wal;') if ($mode // '') eq 'wal';
    if ($is_new) { (my $parent = $file) =~ s{/[^/]*\z}{}; my @s = stat $parent; chown $s[4], $s[5], $file if $> == 0 }
    unlink "$state/token.new";
    rollback();
}

sub manifest_lines { open(my $in, '<:raw', "$dir/manifest.tsv") or return (); return <$in> }

sub rollback { unlink $started, map { ($new . $_, $snapshot . $_) } '', qw(-journal -wal -shm) }

if ($verb eq 'token') { print token(), "\n" }
elsif ($verb eq 'export') { export_live() }
elsif ($verb eq 'stage') { stage_new() }
elsif ($verb eq 'verify') { verify_staged() }
elsif ($verb eq 'recheck') { exit 4 unless recheck() }
elsif ($verb eq 'commit') { commit_staged() }
else { rollback() }
