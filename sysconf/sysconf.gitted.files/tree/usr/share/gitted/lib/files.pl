# The work of the handler `files`: files.pl VERB LIVE [DIR]
#
# DIR holds manifest.tsv (one line for each thing: type, mode, owner, group, path,
# target of a link) and tree/ with the contents. In both, bytes that could hurt
# (control characters, %, and the dot of a name like .git) are percent-encoded.
use strict;
use warnings;
use Fcntl ':mode';
use Time::HiRes ();
use Digest::MD5;
require(($ENV{GITTED_LIB} // '/usr/share/gitted/lib') . '/manifest.pl');

my ($verb, $live, $dir) = @ARGV;
my $state = $ENV{GITTED_STATE} // die "Error: GITTED_STATE is missing.\n";
my $stage = ($live =~ s{/+\z}{}r) . ".gitted-stage";
my $plan = "$state/plan.tsv";
# There while what was staged says more than its manifest.
my $completed = "$state/completed";
my $is_root = $> == 0;
my $max_size = $ENV{GITTED_FILES_MAX_SIZE} // 100 * 1024 * 1024;
my @excluded = map { my $p = quotemeta; $p =~ s/\\\*/.*/g; $p =~ s/\\\?/./g; qr/\A$p\z/ } split ' ', $ENV{GITTED_FILES_EXCLUDE} // '';

sub encode {
    my ($path) = @_;
    $path =~ s/([%\x00-\x1f\x7f\\])/sprintf '%%%02x', ord $1/ge;
    # git (and the file systems of people's machines) would not take these names.
    return join '/', map { my $n = $_; $n =~ s/\A\.(?=git|\.?\z)/%2e/i; $n =~ s/~(?=\d)/%7e/; $n =~ s/([. ])\z/sprintf '%%%02x', ord $1/e; $n } split m{/}, $path, -1;
}

# walk(): list of [type, mode, uid, gid, path, target, size, mtime, ctime, inode] below the live directory.
sub walk {
    my ($visit) = @_;
    my @queue = ('');
    while (defined(my $below = shift @queue)) {
        opendir(my $handle, $below eq '' ? $live : "$live/$below") or fail("$live/$below cannot be read: $!");
        for my $name (sort grep { $_ ne '.' && $_ ne '..' } readdir $handle) {
            next if grep { $name =~ $_ } @excluded;
            next if $name =~ /\A\.gitted-new-/;
            my $path = $below eq '' ? $name : "$below/$name";
            my @s = Time::HiRes::lstat("$live/$path") or next;
            my $type = S_ISREG($s[2]) ? 'f' : S_ISDIR($s[2]) ? 'd' : S_ISLNK($s[2]) ? 'l' : next;
            $visit->({ type => $type, mode => $s[2] & 07777, uid => $s[4], gid => $s[5], path => $path, size => $s[7], stamp => "$s[1] $s[9] $s[10]", ctime => $s[10],
                target => $type eq 'l' ? readlink "$live/$path" : undef });
            push @queue, $path if $type eq 'd';
        }
    }
}

# A hash of what stat says of everything. A change within the clock's grain could hide: then the token is of one use only.
sub token {
    my ($patience) = @_;
    return 'absent' unless -d $live;
    my ($digest, $newest) = (Digest::MD5->new, 0);
    walk(sub {
        my ($e) = @_;
        $digest->add(join("\0", @$e{qw(type mode uid gid path size stamp)}, $e->{target} // ''), "\0\0");
        $newest = $e->{ctime} if $e->{ctime} > $newest;
    });
    my $now = Time::HiRes::time();
    return $digest->hexdigest if $newest <= $now - 0.05;
    return $digest->hexdigest . " racy $now" unless $patience;
    select undef, undef, undef, 0.06;
    return token($patience - 1);
}

my (%users, %groups);
sub user_name { my ($id) = @_; return $users{$id} //= getpwuid($id) // $id }
sub group_name { my ($id) = @_; return $groups{$id} //= getgrgid($id) // $id }

sub make_parents {
    my ($path) = @_;
    (my $parent = $path) =~ s{/[^/]*\z}{};
    return if -d $parent;
    make_parents($parent);
    mkdir $parent or -d $parent or fail("$parent cannot be made: $!");
}

sub copy_file {
    my ($from, $to) = @_;
    open(my $in, '<:raw', $from) or fail("$from cannot be read: $!");
    open(my $out, '>:raw', $to) or fail("$to cannot be written: $!");
    while (1) {
        my $got = sysread $in, my $data, 1 << 20;
        fail("$from cannot be read: $!") unless defined $got;
        last unless $got;
        my $done = 0;
        while ($done < $got) { $done += syswrite($out, $data, $got - $done, $done) // fail("$to cannot be written: $!") }
    }
    close $out or fail("$to cannot be written: $!");
}

sub same_content {
    my ($one, $two) = @_;
    return 0 unless -f $one && !-l $one && -f $two && !-l $two && -s $one == -s $two;
    open(my $a, '<:raw', $one) or return 0;
    open(my $b, '<:raw', $two) or return 0;
    while (1) {
        my $got = sysread $a, my $x, 1 << 20;
        my $also = sysread $b, my $y, 1 << 20;
        return 0 if !defined $got || !defined $also || $got != $also || $x ne $y;
        return 1 unless $got;
    }
}

sub remove_tree {
    my ($path) = @_;
    if (-l $path || !-d $path) { unlink $path; return }
    if (opendir(my $handle, $path)) { remove_tree("$path/$_") for grep { $_ ne '.' && $_ ne '..' } readdir $handle }
    rmdir $path;
}

sub export_live {
    my $token = token(3);
    my ($manifest, %kept) = ('');
    if ($token ne 'absent') {
        my @entries;
        walk(sub { push @entries, $_[0] });
        for my $e (sort { $a->{path} cmp $b->{path} } @entries) {
            my $name = encode($e->{path});
            $manifest .= join("\t", $e->{type}, $e->{type} eq 'l' ? '-' : sprintf('%04o', $e->{mode}), user_name($e->{uid}), group_name($e->{gid}), $name, defined $e->{target} ? encode($e->{target}) : ()) . "\n";
            next unless $e->{type} eq 'f';
            fail("$live/$e->{path} has $e->{size} bytes, more than the limit of $max_size (GITTED_FILES_MAX_SIZE); or leave it out with GITTED_FILES_EXCLUDE") if $e->{size} > $max_size;
            $kept{"tree/$name"} = 1;
            my $to = "$dir/tree/$name";
            next if same_content("$live/$e->{path}", $to);
            make_parents($to);
            unlink $to;
            copy_file("$live/$e->{path}", $to);
        }
        $kept{'manifest.tsv'} = 1;
        write_whole("$dir/manifest.tsv", $manifest) unless -f "$dir/manifest.tsv" && slurp("$dir/manifest.tsv") eq $manifest;
    }
    prune('', \%kept);
    write_whole("$state/token.new", "$token\n") if token(3) eq $token;
}

# Removes what an earlier export left; true when the directory is empty now.
sub prune {
    my ($below, $kept) = @_;
    opendir(my $handle, "$dir/$below") or return;
    for my $name (grep { $_ ne '.' && $_ ne '..' } readdir $handle) {
        my $path = $below eq '' ? $name : "$below/$name";
        if (-d "$dir/$path" && !-l "$dir/$path") { prune($path, $kept); rmdir "$dir/$path" }
        elsif (!$kept->{$path}) { unlink "$dir/$path" }
    }
}

# Reads the manifest of DIR; says every mistake with its line.
sub read_list {
    my (@entries, @gone, %seen, $bad);
    my $mistake = sub { print STDERR "manifest.tsv:$.: $_[0]\n"; $bad = 1 };
    open(my $in, '<:raw', "$dir/manifest.tsv") or fail('manifest.tsv is missing, expected one line for each file');
    while (my $line = <$in>) {
        chomp $line;
        my ($type, $mode, $user, $group, $name, $target, @rest) = split /\t/, $line, -1;
        if (!defined $name || @rest || $type !~ /\A[dfl]\z/ || (defined $target) != ($type eq 'l')) { $mistake->('not understood, expected type (d, f or l), mode, owner, group, path, and the target of a link, with tabs between'); next }
        if ($type ne 'l' && $mode !~ /\A[0-7]{4}\z/) { $mistake->("the mode is \"$mode\", expected four octal digits"); next }
        my $path = plain($name);
        if ($path =~ m{(?:\A|/)(?:\.\.?)?(?:/|\z)} || $path =~ /\0/ || encode($path) ne $name) { $mistake->("the path is \"$name\", expected one inside the directory, written as an export writes it"); next }
        if ($seen{$path}++) { $mistake->("\"$name\" is there twice, expected once"); next }
        my $uid = $user =~ /\A\d+\z/ ? $user : getpwnam $user;
        my $gid = $group =~ /\A\d+\z/ ? $group : getgrnam $group;
        if ($is_root && !defined $uid) { $mistake->("there is no user \"$user\" here, expected one (a profile's setup.rc makes users)"); next }
        if ($is_root && !defined $gid) { $mistake->("there is no group \"$group\" here, expected one"); next }
        if ($type eq 'f' && (!-f "$dir/tree/$name" || -l "$dir/tree/$name")) {
            if (was_there("tree/$name")) { push @gone, $path } else { $mistake->("tree/$name is missing, expected the file's content") }
            next;
        }
        push @entries, { type => $type, mode => $type eq 'l' ? 0 : oct $mode, uid => $uid, gid => $gid, path => $path, name => $name, target => defined $target ? plain($target) : undef };
    }
    my %type = map { $_->{path} => $_->{type} } @entries;
    my $line = 0;
    for my $e (@entries) {
        $line++;
        next unless $e->{path} =~ m{\A(.*)/};
        next if ($type{$1} // '') eq 'd';
        print STDERR "manifest.tsv:$line: the directory of \"$e->{name}\" is not in the manifest, expected a line for it\n";
        $bad = 1;
    }
    my %wanted = map { ("tree/$_->{name}" => 1) } grep { $_->{type} eq 'f' } @entries;
    my @new;
    $bad = 1 if find_strangers('', \%wanted, \@new);
    exit 1 if $bad;
    return complete_list(\@entries, \@gone, \@new);
}

sub was_there { my ($path) = @_; return ($ENV{GITTED_OLD_DIR} // '') ne '' && -f "$ENV{GITTED_OLD_DIR}/$path" }

sub is_below { my ($path, $directory) = @_; return index($path, "$directory/") == 0 }

# People add files below tree/ and remove them without a word in the manifest: new ones belong to the owner of their
# directory, and directories that lost their last file go with it. The next export says it all in the manifest.
sub complete_list {
    my ($entries, $gone, $new) = @_;
    return @$entries unless @$gone || @$new;
    write_whole($completed, "1\n");
    my %entry = map { $_->{path} => $_ } @$entries;
    for my $name (@$new) {
        my $path = plain($name);
        my @parts = split m{/}, $path;
        for my $parent (map { join '/', @parts[0 .. $_] } 0 .. $#parts - 1) { $entry{$parent} //= new_entry('d', 0755, $parent, \%entry) }
        $entry{$path} = new_entry('f', -x "$dir/tree/$name" ? 0755 : 0644, $path, \%entry);
    }
    for my $directory (sort { $b cmp $a } grep { $entry{$_}{type} eq 'd' } keys %entry) {
        delete $entry{$directory} if (grep { is_below($_, $directory) } @$gone) && !(grep { is_below($_, $directory) } keys %entry);
    }
    return values %entry;
}

sub new_entry {
    my ($type, $mode, $path, $entry) = @_;
    my $parent = $path =~ m{\A(.*)/} ? $entry->{$1} : undef;
    my @stat = stat $live;
    my ($uid, $gid) = $parent ? @$parent{qw(uid gid)} : @stat ? @stat[4, 5] : (0, 0);
    return { type => $type, mode => $mode, uid => $uid, gid => $gid, path => $path, name => encode($path), target => undef };
}

sub find_strangers {
    my ($below, $wanted, $new) = @_;
    my $bad = 0;
    opendir(my $handle, "$dir/$below") or return 0;
    for my $name (sort grep { $_ ne '.' && $_ ne '..' } readdir $handle) {
        my $path = $below eq '' ? $name : "$below/$name";
        if (-d "$dir/$path" && !-l "$dir/$path") { $bad |= find_strangers($path, $wanted, $new); next }
        next if $path eq 'manifest.tsv' || $wanted->{$path};
        my $inside = $path =~ m{\Atree/(.*)\z}s ? $1 : undef;
        my $written = defined $inside ? encode(plain($inside)) : '';
        if (defined $inside && $written eq $inside) { push @$new, $inside; next }
        print STDERR defined $inside ? "$path:1: this name is written differently here, expected tree/$written\n" : "$path:1: this file does not belong here, expected manifest.tsv or tree/...\n";
        $bad = 1;
    }
    return $bad;
}

sub same_attributes {
    my ($e, $now) = @_;
    return 0 if $e->{type} ne $now->{type};
    return 0 if $is_root && ($e->{uid} != $now->{uid} || $e->{gid} != $now->{gid});
    return $e->{type} eq 'l' ? $e->{target} eq $now->{target} : $e->{mode} == $now->{mode};
}

# The plan says what to do, in order; contents wait in the stage beside the live directory.
sub stage_new {
    rollback();
    my @wanted = read_list();
    my (%now, @plan, $number);
    if (-d $live) { walk(sub { $now{$_[0]{path}} = $_[0] }) }
    make_parents("$stage/x");
    chmod 0700, $stage;
    for my $e (sort { $a->{path} cmp $b->{path} } @wanted) {
        my $now = delete $now{$e->{path}};
        my $replaced = $now && $now->{type} ne $e->{type};
        push @plan, ['remove', $now->{path}] if $replaced;
        my $same = $now && !$replaced && same_attributes($e, $now);
        my @attributes = (sprintf('%o', $e->{mode}), $is_root ? ($e->{uid}, $e->{gid}) : (-1, -1));
        if ($e->{type} eq 'd') { push @plan, ['directory', $e->{path}, @attributes] unless $same }
        elsif ($e->{type} eq 'l') { push @plan, ['link', $e->{path}, @attributes, $e->{target}] unless $same }
        elsif ($now && !$replaced && same_content("$live/$e->{path}", "$dir/tree/$e->{name}")) { push @plan, ['attributes', $e->{path}, @attributes] unless $same }
        else {
            my $staged = ++$number;
            copy_file("$dir/tree/$e->{name}", "$stage/$staged");
            chmod $e->{mode}, "$stage/$staged" if !chown_maybe($e, "$stage/$staged");
            push @plan, ['file', $e->{path}, @attributes, $staged];
        }
    }
    push @plan, map { ['remove', $_] } sort { $b cmp $a } keys %now;
    write_whole($plan, join '', map { join("\t", map { encode($_) =~ s/\t/%09/gr } @$_) . "\n" } @plan);
    print STDERR '       ' . scalar(@plan) . " changes to make in $live\n";
}

sub chown_maybe {
    my ($e, $path) = @_;
    chown $e->{uid}, $e->{gid}, $path or fail("$path cannot be given to its owner: $!") if $is_root;
    return 0;
}

sub read_plan {
    open(my $in, '<:raw', $plan) or return;
    return map { chomp; [map { plain($_) } split /\t/, $_, -1] } <$in>;
}

sub verify_staged {
    -f $plan or fail('nothing was staged');
    for my $step (read_plan()) { $step->[0] ne 'file' || -f "$stage/$step->[5]" or fail("the staged content of $step->[1] is gone") }
}

sub put {
    my ($what, $path, $mode, $uid, $gid, $extra) = @_;
    my $to = "$live/$path";
    if ($what eq 'remove') { remove_tree($to); return }
    if ($what eq 'directory') { mkdir $to; -d $to or fail("$to cannot be made: $!") }
    elsif ($what eq 'file') {
        if (-e "$stage/$extra") {
            # The live directory may be a mount of its own, where a rename from outside fails.
            rename("$stage/$extra", $to) or do {
                my $near = $to =~ s{([^/]*)\z}{.gitted-new-$extra}r;
                copy_file("$stage/$extra", $near);
                rename $near, $to or fail("$to cannot be written: $!");
                unlink "$stage/$extra";
            };
        }
    }
    elsif ($what eq 'link') {
        unlink $to;
        symlink $extra, $to or fail("$to cannot be made: $!");
        if ($is_root) { system('chown', '-h', "$uid:$gid", '--', $to) == 0 or fail("$to cannot be given to its owner") }
        return;
    }
    if ($uid >= 0) { chown $uid, $gid, $to or fail("$to cannot be given to its owner: $!") }
    chmod oct $mode, $to or fail("the mode of $to cannot be set: $!");
}

sub recheck { return !defined $ENV{GITTED_TOKEN} || $ENV{GITTED_TOKEN} eq '' || token(3) eq $ENV{GITTED_TOKEN} }

sub commit_staged {
    return unless -f $plan;
    if (!-f "$state/started") { exit 4 unless recheck(); write_whole("$state/started", "1\n") }
    make_parents("$live/x");
    put(@$_) for read_plan();
    # Without a token the next export looks, and writes the manifest that belongs to what is live now.
    if (-f $completed) { unlink "$state/token.new" } else { write_whole("$state/token.new", token(3) . "\n") }
    rollback();
}

sub rollback {
    unlink $plan, $completed, "$state/started";
    remove_tree($stage);
}

if ($verb eq 'token') { print token(3), "\n" }
elsif ($verb eq 'export') { export_live() }
elsif ($verb eq 'stage') { stage_new() }
elsif ($verb eq 'verify') { verify_staged() }
elsif ($verb eq 'recheck') { exit 4 unless recheck() }
elsif ($verb eq 'commit') { commit_staged() }
else { rollback() }
