# BSON as bytes, and canonical Extended JSON as text. No value passes through a number of Perl's that could change it.
use strict;
use warnings;

sub fail { print STDERR @_, "\n"; exit 1 }

# The elements of a document: [type, name, bytes of the value].
sub elements {
    my ($doc) = @_;
    my ($at, $end, @found) = (4, length($doc) - 1);
    while ($at < $end) {
        my $type = ord substr $doc, $at, 1;
        my $zero = index $doc, "\0", $at + 1;
        my $name = substr $doc, $at + 1, $zero - $at - 1;
        $at = $zero + 1;
        my $size = $type == 1 || $type == 9 || $type == 17 || $type == 18 ? 8 : $type == 16 ? 4 : $type == 8 ? 1 : $type == 7 ? 12 : $type == 19 ? 16
            : $type == 2 || $type == 13 || $type == 14 ? 4 + unpack('V', substr $doc, $at, 4) : $type == 3 || $type == 4 || $type == 15 ? unpack('V', substr $doc, $at, 4)
            : $type == 5 ? 5 + unpack('V', substr $doc, $at, 4) : $type == 12 ? 16 + unpack('V', substr $doc, $at, 4) : 0;
        if ($type == 11) { my $one = index $doc, "\0", $at; $size = index($doc, "\0", $one + 1) + 1 - $at; }
        push @found, [$type, $name, substr $doc, $at, $size];
        $at += $size;
    }
    return @found;
}

sub document { my $body = join '', map { chr($_->[0]) . "$_->[1]\0$_->[2]" } @_; return pack('V', length($body) + 5) . $body . "\0" }
sub int32 { return [16, $_[0], pack 'l<', $_[1]] }
sub int64 { return [18, $_[0], pack 'q<', $_[1]] }
sub text { return [2, $_[0], pack('V', length($_[1]) + 1) . "$_[1]\0"] }
sub truth { return [8, $_[0], chr($_[1] ? 1 : 0)] }
sub list { my ($name, @docs) = @_; my $n = 0; return [4, $name, document(map { [3, $n++, $_] } @docs)] }
sub field { my ($doc, $name) = @_; for (elements($doc)) { return $_ if $_->[1] eq $name } return undef }
sub string_of { my ($e) = @_; return defined $e && $e->[0] == 2 ? substr($e->[2], 4, -1) : undef }

sub base64 {
    my ($bytes) = @_;
    my $text = join '', map { my $l = pack 'u', $_; substr($l, 1, -1) } unpack '(a45)*', $bytes;
    $text =~ tr{` -_}{AA-Za-z0-9+/};
    my $pad = (3 - length($bytes) % 3) % 3;
    substr($text, -$pad) = '=' x $pad if $pad;
    return $text;
}

sub unbase64 {
    my ($text) = @_;
    $text =~ s/=+$//;
    $text =~ tr{A-Za-z0-9+/}{ -_};
    return join '', map { unpack 'u', chr(32 + int(length($_) * 3 / 4)) . $_ } unpack '(a60)*', $text;
}

sub quote { my ($s) = @_; $s =~ s/(["\\])/\\$1/g; $s =~ s/([\x00-\x1f\x7f])/sprintf '\\u%04x', ord $1/ge; return "\"$s\"" }

sub double_text {
    my $value = unpack 'd<', $_[0];
    return 'NaN' if $value != $value;
    return $value > 0 ? 'Infinity' : '-Infinity' if $value == 9**9**9 || $value == -9**9**9;
    my $text;
    for (15 .. 17) { $text = sprintf "%.${_}g", $value; last if pack('d<', $text) eq $_[0]; }
    return $text =~ /[.e]/ ? $text : "$text.0";
}

my %write = (
    1 => sub { '{"$numberDouble":"' . double_text($_[0]) . '"}' },
    2 => sub { quote(substr $_[0], 4, -1) },
    3 => sub { to_json($_[0]) },
    4 => sub { '[' . join(',', map { value_json($_) } elements($_[0])) . ']' },
    5 => sub { '{"$binary":{"base64":"' . base64(substr $_[0], 5) . '","subType":"' . unpack('H2', substr $_[0], 4, 1) . '"}}' },
    7 => sub { '{"$oid":"' . unpack('H*', $_[0]) . '"}' },
    8 => sub { ord $_[0] ? 'true' : 'false' },
    9 => sub { '{"$date":{"$numberLong":"' . unpack('q<', $_[0]) . '"}}' },
    10 => sub { 'null' },
    11 => sub { my ($p, $o) = split /\0/, $_[0], -1; '{"$regularExpression":{"pattern":' . quote($p) . ',"options":' . quote($o) . '}}' },
    13 => sub { '{"$code":' . quote(substr $_[0], 4, -1) . '}' },
    14 => sub { '{"$symbol":' . quote(substr $_[0], 4, -1) . '}' },
    16 => sub { '{"$numberInt":"' . unpack('l<', $_[0]) . '"}' },
    17 => sub { my ($i, $t) = unpack 'VV', $_[0]; "{\"\$timestamp\":{\"t\":$t,\"i\":$i}}" },
    18 => sub { '{"$numberLong":"' . unpack('q<', $_[0]) . '"}' },
    127 => sub { '{"$maxKey":1}' },
    255 => sub { '{"$minKey":1}' },
);

sub value_json { my ($e) = @_; my $w = $write{ $e->[0] } or die "rare\n"; return $w->($e->[2]) }
sub to_json { return '{' . join(',', map { quote($_->[1]) . ':' . value_json($_) } elements($_[0])) . '}' }

# One line for a document: Extended JSON where reading it back gives the same bytes, else "!" and base64 of the bytes.
# That is so for keys that look like wrappers themselves, for rare types, for text that is not UTF-8.
sub line_of {
    my ($doc) = @_;
    my $json = eval { to_json($doc) };
    return $json if defined $json && do { my $copy = $json; utf8::decode($copy) } && (eval { from_line($json) } // '') eq $doc;
    return '!' . base64($doc);
}

sub utf8_bytes { my ($n) = @_; my $s = chr $n; utf8::encode($s); return $s }

sub read_string {
    my ($in) = @_;
    $$in =~ /\G\s*"((?:[^"\\\x00-\x1f]|\\.)*)"/gc or die "expected a text in quotes\n";
    my $s = $1;
    $s =~ s{\\u(d[89ab]..)\\u(d[c-f]..)}{utf8_bytes(0x10000 + ((hex($1) - 0xd800) << 10) + hex($2) - 0xdc00)}gei;
    my %plain = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");
    $s =~ s{\\(?:u([0-9a-fA-F]{4})|(.))}{defined $1 ? utf8_bytes(hex $1) : $plain{$2} // $2}ge;
    return $s;
}

sub read_value {
    my ($in) = @_;
    return [10, ''] if $$in =~ /\G\s*null\b/gc;
    return [8, chr($1 eq 'true' ? 1 : 0)] if $$in =~ /\G\s*(true|false)\b/gc;
    if ($$in =~ /\G\s*\[/gc) {
        my @items;
        until ($$in =~ /\G\s*\]/gc) {
            if (@items) { $$in =~ /\G\s*,/gc or die "expected , or ]\n"; }
            push @items, read_value($in);
        }
        my $n = 0;
        return [4, document(map { [$_->[0], $n++, $_->[1]] } @items)];
    }
    if ($$in =~ /\G\s*(?=\{)/gc) {
        my $rest = substr $$in, pos $$in, 400;
        my $start = pos $$in;
        my $take = sub { pos($$in) = $start + length $1; return [@_] };
        return $take->(16, pack 'l<', $2) if $rest =~ /^(\{\s*"\$numberInt"\s*:\s*"(-?\d+)"\s*\})/;
        return $take->(18, pack 'q<', $2) if $rest =~ /^(\{\s*"\$numberLong"\s*:\s*"(-?\d+)"\s*\})/;
        my %special = (NaN => -sin(9**9**9), Infinity => 9**9**9, '-Infinity' => -9**9**9);
        return $take->(1, pack 'd<', $special{$2} // $2) if $rest =~ /^(\{\s*"\$numberDouble"\s*:\s*"(NaN|-?Infinity|-?\d[\d.eE+-]*)"\s*\})/;
        return $take->(7, pack 'H*', $2) if $rest =~ /^(\{\s*"\$oid"\s*:\s*"([0-9a-fA-F]{24})"\s*\})/;
        return $take->(9, pack 'q<', $2) if $rest =~ /^(\{\s*"\$date"\s*:\s*\{\s*"\$numberLong"\s*:\s*"(-?\d+)"\s*\}\s*\})/;
        return $take->(17, pack 'VV', $3, $2) if $rest =~ /^(\{\s*"\$timestamp"\s*:\s*\{\s*"t"\s*:\s*(\d+)\s*,\s*"i"\s*:\s*(\d+)\s*\}\s*\})/;
        return $take->($2 eq 'max' ? 127 : 255, '') if $rest =~ /^(\{\s*"\$(min|max)Key"\s*:\s*1\s*\})/;
        if ($$in =~ /\G\{\s*"\$binary"\s*:\s*\{\s*"base64"\s*:\s*"([A-Za-z0-9+\/=]*)"\s*,\s*"subType"\s*:\s*"([0-9a-fA-F]{2})"\s*\}\s*\}/gc) { my $b = unbase64($1); return [5, pack('V', length $b) . pack('H2', $2) . $b]; }
        if ($$in =~ /\G\{\s*"\$regularExpression"\s*:\s*\{\s*"pattern"\s*:/gc) { my $p = read_string($in); $$in =~ /\G\s*,\s*"options"\s*:/gc or die "expected options\n"; my $o = read_string($in); $$in =~ /\G\s*\}\s*\}/gc or die "expected }}\n"; return [11, "$p\0$o\0"]; }
        if ($$in =~ /\G\{\s*"\$(code|symbol)"\s*:/gc) { my $type = $1 eq 'code' ? 13 : 14; my $s = read_string($in); $$in =~ /\G\s*\}/gc or die "expected }\n"; return [$type, pack('V', length($s) + 1) . "$s\0"]; }
        return [3, read_document($in)];
    }
    if ($$in =~ /\G\s*(?=")/gc) { my $s = read_string($in); return [2, pack('V', length($s) + 1) . "$s\0"]; }
    die "expected a value; numbers stand as {\"\$numberInt\":\"1\"} and so on\n";
}

sub read_document {
    my ($in) = @_;
    $$in =~ /\G\s*\{/gc or die "expected {\n";
    my @fields;
    until ($$in =~ /\G\s*\}/gc) {
        if (@fields) { $$in =~ /\G\s*,/gc or die "expected , or }\n"; }
        my $name = read_string($in);
        die "a name holds a zero byte\n" if index($name, "\0") >= 0;
        $$in =~ /\G\s*:/gc or die "expected :\n";
        my $value = read_value($in);
        push @fields, [$value->[0], $name, $value->[1]];
    }
    return document(@fields);
}

sub from_line {
    my ($line) = @_;
    return unbase64(substr $line, 1) if substr($line, 0, 1) eq '!';
    pos($line) = 0;
    my $doc = read_document(\$line);
    die "expected the end of the line\n" unless $line =~ /\G\s*$/gc;
    return $doc;
}
1;
