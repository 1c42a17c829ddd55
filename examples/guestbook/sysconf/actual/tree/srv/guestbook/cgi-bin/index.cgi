#!/usr/bin/perl
# A guest book: shows what guests wrote, newest first, and takes a new entry.
use strict;
use warnings;
use DBI;
use Encode qw(decode_utf8);

binmode STDOUT, ':encoding(UTF-8)';

# Fields of the posted form.
sub read_form {
    return () if ($ENV{REQUEST_METHOD} // '') ne 'POST';
    my $size = $ENV{CONTENT_LENGTH} // 0;
    return () if $size !~ /\A\d{1,5}\z/;
    read STDIN, my $text, $size;
    return map { tr/+/ /; s/%([0-9A-Fa-f]{2})/chr hex $1/ge; decode_utf8($_) } map { (split(/=/, $_, 2), '')[0, 1] } split /&/, $text;
}

sub escape {
    my ($text) = @_;
    my %name = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    $text =~ s/([&<>"])/$name{$1}/g;
    return $text;
}

my $database = DBI->connect('dbi:Pg:dbname=guestbook', '', '', { RaiseError => 1, PrintError => 0 });
my %form = read_form();
if (($form{message} // '') =~ /\S/) {
    my $name = ($form{name} // '') =~ /\S/ ? $form{name} : 'Somebody';
    (my $message = $form{message}) =~ s/\r\n/\n/g;
    $database->do('INSERT INTO entry (name, message) VALUES (?, ?)', undef, $name, $message);
    # Loading the answer again must not write once more.
    print "Status: 303 See Other\r\nLocation: /\r\n\r\n";
    exit;
}

my ($title) = $database->selectrow_array(q{SELECT value FROM setting WHERE name = 'title'});
$title = escape($title // 'Guest book');
print "Content-Type: text/html; charset=utf-8\r\n\r\n";
print <<"END";
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<style>body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 2em auto } textarea { width: 100% } small { color: #666 }</style></head>
<body><h1>$title</h1>
<form method="post" action="/">
<p><input name="name" placeholder="Your name" maxlength="80"></p>
<p><textarea name="message" rows="4" placeholder="What you want to say" required></textarea></p>
<p><button>Write</button></p>
</form>
END
for my $row (@{ $database->selectall_arrayref(q{SELECT name, message, to_char(written, 'YYYY-MM-DD HH24:MI') FROM entry ORDER BY written DESC, id DESC}) }) {
    my ($name, $message, $written) = map { escape($_) } @$row;
    $message =~ s/\n/<br>/g;
    print "<p><b>$name</b> <small>$written</small><br>$message</p>\n";
}
print "</body></html>\n";
