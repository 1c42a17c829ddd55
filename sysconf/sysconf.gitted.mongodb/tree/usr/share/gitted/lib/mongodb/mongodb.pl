#!/usr/bin/perl
# mongodb.pl VERB [DIR OLD]: the handler's verbs over MongoDB's own wire protocol, so that documents come and go as bytes.
# The token comes from the server's own counters of commands and documents; what is compared before and after an
# import is a hash over the whole database. $GITTED_STATE/exported holds both: token and hash of the last export.
#
# A changed collection is loaded beside the live one as gitted_new_N and renamed over it. $GITTED_STATE/stage holds
# "base" (the hash when staging began) and "plan": load N NAME ROWS, or drop NAME; names in hexadecimal.
use strict;
use warnings;
no warnings "portable";
use File::Basename;
use IO::Socket::INET;
require(dirname(__FILE__) . '/bson.pl');

my $database = $ENV{GITTED_MONGODB_DATABASE};
my $stage = "$ENV{GITTED_STATE}/stage";
my ($socket, $request) = (undef, 0);

sub call_raw {
    my ($doc) = @_;
    $socket //= IO::Socket::INET->new(PeerAddr => $ENV{GITTED_MONGODB_HOST} // '127.0.0.1', PeerPort => $ENV{GITTED_MONGODB_PORT} // 27017, Timeout => 10)
        or fail("MongoDB cannot be reached: $@");
    my $body = pack('V', 0) . "\0" . $doc;
    print $socket pack('VVVV', 16 + length $body, ++$request, 0, 2013) . $body;
    $socket->flush;
    my $take = sub { my ($n) = @_; my $got = ''; while (length $got < $n) { my $r = read $socket, $got, $n - length $got, length $got; fail('MongoDB closed the connection.') unless $r; } return $got };
    my ($length) = unpack 'V', $take->(16);
    return substr $take->($length - 16), 5;
}

# Runs a command on a database; undef when it fails and the failure is one of the codes allowed.
sub call {
    my ($db, $fields, @allowed) = @_;
    my $reply = call_raw(document(@$fields, text('$db', $db)));
    my $ok = field($reply, 'ok');
    my $good = defined $ok && ($ok->[0] == 1 ? unpack('d<', $ok->[2]) : $ok->[0] == 8 ? ord $ok->[2] : unpack('l<', $ok->[2]));
    my $errors = field($reply, 'writeErrors');
    return $reply if $good && !$errors;
    my $code = field($reply, 'code');
    return undef if $code && grep { $_ == unpack 'l<', $code->[2] } @allowed;
    my $message = string_of(field($reply, 'errmsg')) // ($errors ? string_of(field((elements($errors->[2]))[0][2], 'errmsg')) : undef) // 'unknown failure';
    die "$message\n";
}

# Every document of a cursor, one by one.
sub each_document {
    my ($reply, $collection, $do) = @_;
    my $batch = 'firstBatch';
    while (1) {
        my $cursor = field($reply, 'cursor')->[2];
        $do->($_->[2]) for elements(field($cursor, $batch)->[2]);
        my $id = unpack 'q<', field($cursor, 'id')->[2];
        return if !$id;
        $reply = call($database, [int64('getMore', $id), text('collection', $collection)]);
        $batch = 'nextBatch';
    }
}

# [{name, options (BSON), indexes => [BSON]}] in order of names; ours and the server's own left out.
sub collections {
    my @found;
    each_document(call($database, [int32('listCollections', 1)]), '$cmd.listCollections', sub {
        my ($doc) = @_;
        my $name = string_of(field($doc, 'name'));
        my $type = string_of(field($doc, 'type')) // 'collection';
        return if $name =~ /^(system\.|gitted_new_)/ || $type ne 'collection';
        my $options = field($doc, 'options');
        # The server makes a new uuid for each collection.
        push @found, { name => $name, options => document($options ? grep { $_->[1] !~ /^(uuid|autoIndexId)$/ } elements($options->[2]) : ()) };
    });
    for my $c (@found) {
        my @indexes;
        each_document(call($database, [text('listIndexes', $c->{name})]), $c->{name}, sub { push @indexes, document(grep { $_->[1] !~ /^(ns|v)$/ } elements($_[0])) });
        $c->{indexes} = [sort grep { string_of(field($_, 'name')) ne '_id_' } @indexes];
    }
    return sort { $a->{name} cmp $b->{name} } @found;
}

sub each_row { my ($name, $do) = @_; each_document(call($database, [text('find', $name), [3, 'sort', document(int32('_id', 1))], int32('batchSize', 1000)]), $name, $do) }

# 64 bits of a text, as sixteen digits.
sub hash_of {
    use integer;
    my $h = 0x2545F4914F6CDD1D + length $_[0];
    for (unpack 'V*', "$_[0]\0\0\0") { $h = ($h ^ $_) * 0x5851F42D4C957F2D; $h ^= ($h >> 29) & 0x7ffffffff; }
    $h *= 0x1B873593CC9E2D51;
    $h ^= ($h >> 32) & 0xffffffff;
    return sprintf '%016x', $h;
}

# Commands that change nothing, whatever they are asked. Any other one that was run may have changed something.
my %reading = map { lc $_ => 1 } qw(buildInfo collStats connectionStatus connPoolStats count currentOp dataSize dbStats distinct endSessions
    explain features find getCmdLineOpts getFreeMonitoringStatus getLog getMore getParameter hello hostInfo isMaster killCursors killSessions
    listCollections listCommands listDatabases listIndexes logout ping refreshSessions replSetGetStatus saslContinue saslStart serverStatus startSession top usersInfo validate whatsmyuri);

my %packed = (1 => 'd<', 9 => 'q<', 16 => 'l<', 18 => 'q<');
sub number_of { my ($e) = @_; return defined $e && $packed{ $e->[0] } ? unpack($packed{ $e->[0] }, $e->[2]) : 0 }

# The moment when the server started, which it only tells to within some milliseconds: the one noted before, if that can be.
sub started {
    my ($status) = @_;
    my $at = int(number_of(field($status, 'localTime')) - number_of(field($status, 'uptimeMillis')));
    my $file = "$ENV{GITTED_STATE}/started";
    my $noted = slurp($file);
    return $noted if $noted =~ /^\d+$/ && abs($noted - $at) < 300;
    open my $out, '>', $file or fail("$file: $!");
    print $out $at;
    close $out or fail("$file: $!");
    return $at;
}

# One question: what the server counts since it started. undef where it does not say, or somebody is in the midst of a write.
sub counted {
    my $status = eval { call('admin', [int32('serverStatus', 1)]) } or return undef;
    my $metrics = field($status, 'metrics') or return undef;
    my $commands = field($metrics->[2], 'commands') or return undef;
    my $lock = field($status, 'globalLock');
    my $clients = $lock && field($lock->[2], 'activeClients');
    return undef if $clients && number_of(field($clients->[2], 'writers'));
    my @parts = (string_of(field($status, 'host')), number_of(field($status, 'pid')), started($status));
    # FerretDB's aggregate writes nowhere, and it is what drivers count documents with.
    my %quiet = (%reading, field($status, 'ferretdbVersion') ? (aggregate => 1) : ());
    for (sort { $a->[1] cmp $b->[1] } grep { $_->[0] == 3 && !$quiet{ lc $_->[1] } } elements($commands->[2])) { push @parts, "$_->[1]=" . number_of(field($_->[2], 'total')) if number_of(field($_->[2], 'total')); }
    # A write that began before the commands were counted shows here when it is done; old documents go without a command.
    for my $name (qw(document ttl)) { my $e = field($metrics->[2], $name); push @parts, map { "$_->[1]=" . number_of($_) } grep { $_->[1] =~ /^(inserted|updated|deleted|deletedDocuments)$/ } elements($e->[2]) if $e; }
    return hash_of(join "\0", @parts);
}

sub token {
    my $some = 0;
    each_document(call($database, [int32('listCollections', 1), truth('nameOnly', 1)]), '$cmd.listCollections', sub { $some = 1 if string_of(field($_[0], 'name')) !~ /^(system\.|gitted_new_)/ });
    return $some ? counted() // content_hash() : 'absent';
}

# $before: what was counted before the database was read. Only when it is counted now, too, was nothing written meanwhile.
sub remember {
    my ($before, $hash) = @_;
    my $now = counted();
    my $token = defined $before && defined $now && $before eq $now ? $now : $hash;
    open my $out, '>', "$ENV{GITTED_STATE}/exported" or fail("exported: $!");
    print $out "$token\n$hash\n";
    close $out or fail("exported: $!");
    return $token;
}

sub content_hash {
    my @all = collections();
    return 'absent' unless @all;
    my $hash = '';
    for my $c (@all) {
        $hash = hash_of(join "\0", $hash, $c->{name}, $c->{options}, @{ $c->{indexes} });
        each_row($c->{name}, sub { $hash = hash_of("$hash$_[0]") });
    }
    return $hash;
}

sub export {
    my $before = counted();
    my @all = collections();
    my $hash = '';
    my $hex = sub { return unpack 'H*', $_[0] };
    if (!@all) { print "\\.\ttoken\nabsent\n\\.\tend\n"; return; }
    print "\\.\tmanifest\nengine\tmongodb\nserver\t", version(), "\n";
    for my $c (@all) {
        print "\\.\ttext\tschema/", (map { s/([^a-z0-9_])/sprintf '%%%02x', ord $1/ger } $c->{name}), ".json\n", $hex->(line_of($c->{options})), "\n", map { $hex->(line_of($_)) . "\n" } @{ $c->{indexes} };
        print "\\.\ttable\t\t", $hex->($c->{name}), "\thash\t-1\t-\t", $hex->('document'), "\n";
        $hash = hash_of(join "\0", $hash, $c->{name}, $c->{options}, @{ $c->{indexes} });
        each_row($c->{name}, sub {
            $hash = hash_of("$hash$_[0]");
            # A file begins where a hash of the _id says so: another value in a document moves nothing.
            print hash_of((elements($_[0]))[0][2]), "\t", line_of($_[0]), "\n";
        });
    }
    print "\\.\ttoken\n", remember($before, $hash), "\n\\.\tend\n";
}

sub version { return join '.', (string_of(field(call('admin', [int32('buildInfo', 1)]), 'version')) =~ /(\d+)\.(\d+)/) }

sub write_file { my ($name, $text) = @_; open my $out, '>:raw', "$stage/$name" or fail("$stage/$name: $!"); print $out $text; close $out or fail("$stage/$name: $!"); }
sub read_file { my ($name) = @_; open my $in, '<:raw', "$stage/$name" or return ''; local $/; return <$in> // '' }

sub files_of { my ($dir, $table) = @_; opendir my $h, "$dir/data/$table" or return (); return map { "data/$table/$_" } sort grep { /\.json$/ } readdir $h }
sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return <$in> // '' }

# NAME => TABLE of a manifest.
sub tables_in {
    my ($dir) = @_;
    return map { my @f = split /\t/; $f[0] eq 'table' ? ($f[3] => $f[1]) : () } split /\n/, slurp("$dir/manifest.tsv");
}

sub content_of { my ($dir, $name, $table) = @_; return join "\0", slurp("$dir/schema/$name.json"), map { slurp("$dir/$_") } files_of($dir, $table) }

sub parse { my ($where, $line) = @_; my $doc = eval { from_line($line) }; fail("$where: ", ($@ =~ s/\n//r)) unless defined $doc; return $doc }

sub stage {
    my ($dir, $old) = @_;
    write_file('base', content_hash());
    my %now = tables_in($dir);
    my %before = $old ne '' ? tables_in($old) : ();
    my ($plan, $n) = ('', 0);
    for my $name (sort keys %now) {
        next if $before{$name} && content_of($dir, $name, $now{$name}) eq content_of($old, $name, $before{$name});
        my $real = $name =~ s/%(..)/chr hex $1/ger;
        my $shadow = 'gitted_new_' . ++$n;
        my ($number, @meta) = (0, split /\n/, slurp("$dir/schema/$name.json"));
        @meta = map { parse("schema/$name.json:" . ++$number, $_) } @meta;
        my $options = shift(@meta) // document();
        eval { call($database, [text('create', $shadow), elements($options)]); 1 } or fail("schema/$name.json:1: ", $@ =~ s/\n//r);
        my ($rows, @batch, $size) = (0);
        my $last;
        my $flush = sub {
            return unless @batch;
            eval { call($database, [text('insert', $shadow), list('documents', @batch), truth('ordered', 1)]); 1 } or fail("$last: ", $@ =~ s/\n//r);
            ($size, @batch) = (0);
        };
        for my $path (files_of($dir, $now{$name})) {
            my $line = 0;
            for (split /\n/, slurp("$dir/$path")) {
                $line++;
                $last = "$path:$line";
                my $doc = parse($last, $_);
                push @batch, $doc;
                $rows++;
                $size += length $doc;
                $flush->() if @batch >= 1000 || $size > 8_000_000;
            }
        }
        $flush->();
        if (@meta) { eval { call($database, [text('createIndexes', $shadow), list('indexes', @meta)]); 1 } or fail("schema/$name.json:2: ", $@ =~ s/\n//r); }
        $plan .= "load\t$shadow\t" . unpack('H*', $real) . "\t$rows\n";
    }
    for my $name (sort grep { !$now{$_} } keys %before) { $plan .= "drop\t" . unpack('H*', $name =~ s/%(..)/chr hex $1/ger) . "\n"; }
    write_file('plan', $plan);
}

sub plan { fail('Nothing is staged, expected stage first.') unless -e "$stage/plan"; return map { [split /\t/] } split /\n/, read_file('plan') }

sub exists_collection { my ($name) = @_; my $there = 0; each_document(call($database, [int32('listCollections', 1)]), '$cmd.listCollections', sub { $there = 1 if string_of(field($_[0], 'name')) eq $name }); return $there }

sub verify {
    for (grep { $_->[0] eq 'load' } plan()) {
        my $count = 0;
        each_row($_->[1], sub { $count++ });
        fail(pack('H*', $_->[2]) . ": $count of $_->[3] documents arrived, expected all.") if $count != $_->[3];
    }
}

sub recheck {
    my $base = read_file('base');
    my %exported = map { $_ => 1 } split /\n/, slurp("$ENV{GITTED_STATE}/exported");
    my $wanted = $ENV{GITTED_TOKEN} // '';
    return if content_hash() eq $base && ($wanted eq '' || $wanted eq $base || ($exported{$wanted} && $exported{$base}));
    print STDERR "The database $database changed while you pushed.\n";
    exit 4;
}

sub commit {
    my @steps = plan();
    recheck() unless -e "$stage/committing";
    write_file('committing', '');
    for my $step (@steps) {
        my ($what, $shadow, $name) = @$step;
        if ($what eq 'drop') { call($database, [text('drop', pack 'H*', $shadow)], 26); next; }
        next unless exists_collection($shadow);
        $name = pack 'H*', $name;
        my $rename = sub { call('admin', [text('renameCollection', "$database.$shadow"), text('to', "$database.$name"), @_]) };
        next if eval { $rename->(truth('dropTarget', 1)); 1 };
        # FerretDB cannot drop the target by itself.
        call($database, [text('drop', $name)], 26);
        $rename->();
    }
    my $before = counted();
    my $hash = content_hash();
    if (open my $out, '>', "$ENV{GITTED_STATE}/token.new") { print $out $hash eq 'absent' ? $hash : remember($before, $hash), "\n"; }
}

sub rollback {
    # Renaming has begun: then it goes on, since one collection is new already.
    if (-e "$stage/committing") { commit(); return; }
    my @shadows;
    each_document(call($database, [int32('listCollections', 1)]), '$cmd.listCollections', sub { push @shadows, grep { /^gitted_new_/ } string_of(field($_[0], 'name')) });
    call($database, [text('drop', $_)], 26) for @shadows;
}

my ($verb, @rest) = @ARGV;
my %verbs = (token => sub { print token(), "\n" }, export => \&export, version => sub { print version(), "\n" }, stage => \&stage, verify => \&verify, recheck => \&recheck, commit => \&commit, rollback => \&rollback);
eval { $verbs{$verb}->(@rest); 1 } or fail('MongoDB: ', $@ =~ s/\n//r);
