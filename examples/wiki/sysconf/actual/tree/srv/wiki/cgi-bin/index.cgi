#!/usr/bin/perl
# A wiki: pages that link to each other with [[Title]], which anybody can edit.
use strict;
use warnings;
use DBI;
use Encode qw(decode_utf8 encode_utf8);

binmode STDOUT, ':encoding(UTF-8)';

# Fields of a form or of a query.
sub fields_of {
    my ($text) = @_;
    return map { tr/+/ /; s/%([0-9A-Fa-f]{2})/chr hex $1/ge; decode_utf8($_) } map { (split(/=/, $_, 2), '')[0, 1] } split /&/, $text;
}

sub read_form {
    return () if ($ENV{REQUEST_METHOD} // '') ne 'POST';
    my $size = $ENV{CONTENT_LENGTH} // 0;
    return () if $size !~ /\A\d{1,6}\z/;
    read STDIN, my $text, $size;
    return fields_of($text);
}

sub escape {
    my ($text) = @_;
    my %name = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    $text =~ s/([&<>"])/$name{$1}/g;
    return $text;
}

sub url_of {
    my $bytes = encode_utf8($_[0]);
    $bytes =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ge;
    return "/?page=$bytes";
}

sub show {
    my ($title, $body) = @_;
    my $head = escape($title);
    print "Content-Type: text/html; charset=utf-8\r\n\r\n", <<"END";
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$head</title>
<style>body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 2em auto } textarea { width: 100% } nav { color: #666 }</style></head>
<body><nav><a href="/">Home</a></nav><h1>$head</h1>
$body
</body></html>
END
}

my $database = DBI->connect('dbi:MariaDB:database=wiki;mariadb_socket=/run/mysqld/mysqld.sock', 'www-data', '', { RaiseError => 1, PrintError => 0 });
my %query = fields_of($ENV{QUERY_STRING} // '');
my %form = read_form();
my $title = substr($form{page} // $query{page} // 'Home', 0, 120);
if (defined $form{body}) {
    (my $body = $form{body}) =~ s/\r\n/\n/g;
    $database->do('INSERT INTO page (title, body) VALUES (?, ?) ON DUPLICATE KEY UPDATE body = VALUES(body)', undef, $title, $body);
    # Loading the answer again must not write once more.
    print "Status: 303 See Other\r\nLocation: ", url_of($title), "\r\n\r\n";
    exit;
}

my ($body) = $database->selectrow_array('SELECT body FROM page WHERE title = ?', undef, $title);
if (exists $query{edit} || !defined $body) {
    my ($name, $text) = (escape($title), escape($body // ''));
    show($title, qq{<form method="post" action="/"><input type="hidden" name="page" value="$name">\n<p><textarea name="body" rows="15">\n$text</textarea></p>\n<p><button>Save</button></p></form>});
} else {
    my $text = escape($body);
    $text =~ s{\[\[([^\[\]]+)\]\]}{'<a href="' . url_of($1) . "\">$1</a>"}ge;
    $text =~ s{\n\n+}{</p>\n<p>}g;
    show($title, "<p>$text</p>\n<p><a href=\"" . url_of($title) . "&amp;edit\">Edit</a></p>");
}
