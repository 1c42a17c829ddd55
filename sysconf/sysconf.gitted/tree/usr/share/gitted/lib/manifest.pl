# The manifest and the files of rows of an exported directory; read by the programs that take such a directory.
# Every mistake is a line PATH:LINE: what is wrong, expected what.
use strict;
use warnings;

my $failures = 0;

sub complain { print STDERR "@_\n"; $failures++; exit 1 if $failures >= 20 }
# Ends the program where there was a complaint.
sub settle { exit 1 if $failures }
sub fail { print STDERR "@_\n"; exit 1 }
sub plain { my ($name) = @_; $name =~ s/%([0-9a-f]{2})/chr hex $1/ge; return $name }
sub hexed { return unpack 'H*', plain($_[0]) }
sub hexed_list { my ($list) = @_; return $list eq '-' ? '-' : join ',', map { hexed($_) } split /,/, $list }

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or fail("$path: $!");
    local $/;
    return <$in> // '';
}

sub write_lines { my ($file, @lines) = @_; open my $out, '>:raw', $file or fail("$file: $!"); print $out map { "$_\n" } @lines; close $out or fail("$file: $!"); }

our $name = qr/(?:[a-z0-9_]|%[0-9a-f]{2})+/;
our $list = qr/(?:$name(?:,$name)*)/;

sub label_of { my ($schema, $table) = @_; return $schema eq 'public' || $schema eq '' ? plain($table) : plain($schema) . '.' . plain($table) }

# A table whose rows, or columns whose values, were not exported, so that no import may take them for gone.
sub read_secret {
    my ($m, $at, $what, @f) = @_;
    my ($path, $schema, $table, $columns) = @f;
    if (@f != ($what eq 'masked' ? 4 : 3) || $schema !~ /^$name?$/ || $table !~ /^$name$/ || ($columns // 'x') !~ /^$list$/) {
        complain("$at: not understood, expected $what, directory, schema, name" . ($what eq 'masked' ? ', columns' : ''));
    }
    elsif ($what eq 'masked') { $m->{masked}{$path} = { at => $at, columns => $columns }; }
    else { $m->{left_out}{$path} = { at => $at, path => $path, schema => $schema, name => $table, columns => '', label => label_of($schema, $table) }; }
}

sub settle_secrets {
    my ($m) = @_;
    for my $path (sort keys %{ $m->{left_out} }) { complain("$m->{left_out}{$path}{at}: $path is left out and has a line of its own, expected one of both") if $m->{tables}{$path}; }
    for my $path (sort keys %{ $m->{masked} }) {
        my ($masked, $t) = ($m->{masked}{$path}, $m->{tables}{$path});
        if (!$t) { complain("$masked->{at}: $path has no line of its own, expected one"); }
        elsif (!$t->{places}) { complain("$masked->{at}: $path has no key, expected one beside the masked columns"); }
        else { $t->{masked} = $masked->{columns}; }
    }
}

# Writes a file so that a crash leaves the old or the new content.
sub write_whole {
    my ($path, $text) = @_;
    open(my $out, '>:raw', "$path.new") or fail("$path cannot be written: $!");
    print $out $text;
    close $out or fail("$path cannot be written: $!");
    rename "$path.new", $path or fail("$path cannot be written: $!");
}

sub files_below {
    my ($dir, $inside) = @_;
    my @found;
    opendir my $handle, "$dir/$inside" or return ();
    for my $entry (sort grep { !/^\.\.?$/ } readdir $handle) {
        my $path = $inside eq '' ? $entry : "$inside/$entry";
        if (-l "$dir/$path") { complain("$path: a symbolic link does not belong here, expected a file"); }
        elsif (-d "$dir/$path") { push @found, files_below($dir, $path); }
        else { push @found, $path; }
    }
    return @found;
}

# What may lie in an exported directory.
sub check_place {
    my ($m, $path, $suffix) = @_;
    return if $path =~ m{^(manifest\.tsv|sequences\.tsv|counters\.tsv|schema/[a-z-]+\.sql|schema/[a-z0-9_%]+\.json|large-objects/pages/[a-z0-9_]+\.$suffix)$};
    if ($path =~ m{^data/([^/]+)/[a-z0-9_]+\.$suffix$}) {
        return if $m->{tables}{$1};
        return complain("$path:1: this file belongs to no table, expected a line for $1 in manifest.tsv");
    }
    complain("$path:1: this file does not belong here, expected data/TABLE/NAME.$suffix, schema/*.sql, sequences.tsv or manifest.tsv");
}

# The manifest as {engine, server, tables => {TABLE => {...}}, order => [...]}.
sub read_manifest {
    my ($file, $path) = @_;
    my %m = (tables => {}, order => [], left_out => {}, masked => {});
    open my $in, '<:raw', $file or return undef;
    while (my $line = <$in>) {
        chomp $line;
        my ($what, @f) = split /\t/, $line, -1;
        my $at = "$path:$.";
        if ($. == 1) {
            fail("$at: not a manifest, expected \"gitted-rows\", a tab and 1") unless $line =~ /^gitted-rows\t/;
            fail("$at: written in format $f[0] by a newer version, expected 1") unless $f[0] eq '1';
        }
        elsif ($what eq 'table') {
            complain("$at: a table has ${\ scalar @f} fields, expected 6: directory, schema, name, cut, key, columns"), next unless @f == 6;
            my %t = (at => $at);
            @t{qw(path schema name cut key columns)} = @f;
            complain("$at: not a name of a directory: $t{path}") unless $t{path} =~ /^[a-z0-9_%.]+$/ && $t{path} !~ /^\./;
            complain("$at: \"$t{schema}\" is not a name, expected letters, digits and %xx") unless $t{schema} =~ /^$name?$/;
            complain("$at: \"$t{name}\" is not a name, expected letters, digits and %xx") unless $t{name} =~ /^$name$/;
            complain("$at: \"$t{cut}\" is not a cut, expected int:N, uuid:N or hash:N") unless $t{cut} =~ /^(int|uuid|hash):\d{1,2}$/;
            complain("$at: \"$t{key}\" is not a list of columns, expected names divided by commas, or -") unless $t{key} =~ /^(-|$list)$/;
            complain("$at: \"$t{columns}\" is not a list of columns, expected names divided by commas") unless $t{columns} =~ /^$list?$/;
            complain("$at: $t{path} is there twice") if $m{tables}{ $t{path} };
            my %place; my @columns = split /,/, $t{columns};
            @place{@columns} = 0 .. $#columns;
            $t{width} = @columns;
            $t{places} = $t{key} eq '-' ? undef : [map { $place{$_} // -1 } split /,/, $t{key}];
            # As many fields as it takes to have the key, and the rest as one.
            $t{reach} = 2 + (sort { $b <=> $a } @{ $t{places} // [0] })[0];
            complain("$at: a column of the key is not among the columns, expected one of $t{columns}") if $t{places} && grep { $_ < 0 } @{ $t{places} };
            $t{label} = label_of(@t{qw(schema name)});
            $m{tables}{ $t{path} } = \%t;
            push @{ $m{order} }, $t{path};
        }
        elsif ($what eq 'left-out' || $what eq 'masked') { read_secret(\%m, $at, $what, @f); }
        elsif ($what =~ /^(engine|server)$/) { $m{$what} = $f[0] // ''; $m{"${what}_at"} = $at; }
        elsif ($what eq 'pragma' && @f == 2 && $f[1] =~ /^[\w-]+$/) { $m{pragma}{ $f[0] } = $f[1]; }
        elsif ($what eq 'role') { push @{ $m{roles} }, [@f]; }
        elsif ($what =~ /^(encoding|large-objects)$/) { $m{$what} = join "\t", @f; }
        else { complain("$at: \"$what\" is not known, expected engine, server, encoding, role, table, left-out, masked or large-objects"); }
    }
    settle_secrets(\%m);
    settle();
    return \%m;
}

# The content of a file of rows, checked; complains and returns undef.
sub read_rows {
    my ($dir, $path, $width) = @_;
    my $text = slurp("$dir/$path");
    return $text if $text eq '';
    $text .= "\n" unless substr($text, -1) eq "\n";
    my $lines = $text =~ tr/\n//;
    my $tabs = $text =~ tr/\t//;
    my $copy = $text;
    if ($tabs == $lines * ($width ? $width - 1 : 0) && index($text, "\r") < 0 && index($text, "\0") < 0 && substr($text, 0, 3) ne "\\.\n" && index($text, "\n\\.\n") < 0 && utf8::decode($copy)) {
        return $text;
    }
    my $bad = first_bad(\$text, $width);
    complain("$path:$bad->[0]: $bad->[1]");
    return undef;
}

sub first_bad {
    my ($text, $width) = @_;
    my $number = 0;
    for my $line (split /\n/, $$text, -1) {
        $number++;
        last if $number > 1 && $line eq '' && $number == ($$text =~ tr/\n//) + 1;
        my $fields = 1 + ($line =~ tr/\t//);
        my $copy = $line;
        return [$number, 'a conflict is not resolved, expected a row'] if $line =~ /^(<{7}|={7}|>{7}|\|{7})( |$)/ && $fields != $width;
        return [$number, "$fields fields, expected $width"] if $width && $fields != $width;
        return [$number, 'a value, expected an empty line, since the table has no columns'] if !$width && $line ne '';
        return [$number, 'a carriage return, expected \\r'] if $line =~ /\r/;
        return [$number, 'a zero byte, which no text may hold'] if $line =~ /\0/;
        return [$number, 'a backslash and a full stop alone, expected a row'] if $line eq '\\.';
        return [$number, 'bytes that are not UTF-8'] unless utf8::decode($copy);
    }
    return undef;
}

sub glob_rows {
    my ($dir, $table, $suffix) = @_;
    my $base = $table =~ m{/} ? $table : "data/$table";
    opendir my $handle, "$dir/$base" or return ();
    return map { "$base/$_" } sort grep { /\.\Q$suffix\E$/ } readdir $handle;
}

1;
