#!/usr/bin/perl
# token.pl DATABASE [quick]: prints SQL that sets @gitted_token; quick: without looking for tables that are not InnoDB.
# Views, routines, triggers and events, and tables of other engines, are looked at themselves. For InnoDB:
# - where no transaction has begun to write, the number that the next one gets, together with the server's start (the
#   number may be a lower one after that): it moves with every change, and with nothing else;
# - else, and where sequences move without a transaction, the log position, which also moves for a while after a change.
use strict;
use warnings;
use File::Basename;
require(dirname(__FILE__) . '/catalog.pl');

my ($database, $quick) = @ARGV;
my $name = literal($database);
my @other = $quick ? () : map { $_->[0] } rows_of("SELECT HEX(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = $name AND TABLE_TYPE <> 'VIEW' AND IFNULL(ENGINE, '') <> 'InnoDB' ORDER BY BINARY TABLE_NAME;");
my $sums = "''";
if (@other) {
    my $list = join ', ', map { quoted($database) . '.' . quoted(pack 'H*', $_) } @other;
    my @sums = rows_of("CHECKSUM TABLE $list EXTENDED;");
    $sums = "'" . join(',', map { $_->[-1] } @sums) . "'";
}
my $digest = sub { my ($text, $from, $order) = @_; return "(SELECT IFNULL(MD5(GROUP_CONCAT(MD5(CONCAT_WS('|', $text)) ORDER BY $order SEPARATOR ',')), '') FROM information_schema.$from)" };
my $status = sub { return "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '$_[0]')" };
my $next = $status->('Innodb_max_trx_id');
# Those that are open are listed between two looks at the number: whoever began meanwhile has moved it.
print "SET \@gitted_next = $next;\n";
print "SET \@gitted_open = (SELECT count(*) FROM information_schema.INNODB_TRX WHERE trx_id <> 0) + (SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = $name AND TABLE_TYPE = 'SEQUENCE');\n";
my $position = "IF(\@gitted_open = 0 AND \@gitted_next = $next, CONCAT('t', UNIX_TIMESTAMP() - " . $status->('Uptime') . ", '-', \@gitted_next), " . $status->('Innodb_lsn_current') . ')';
print "SELECT CONCAT_WS('.', $position, MD5(CONCAT_WS('/', $sums, ",
    join(', ',
        $digest->('TABLE_NAME, VIEW_DEFINITION, SECURITY_TYPE, DEFINER, CHECK_OPTION', "VIEWS WHERE TABLE_SCHEMA = $name", 'BINARY TABLE_NAME'),
        $digest->('TRIGGER_NAME, CREATED, ACTION_STATEMENT, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, DEFINER', "TRIGGERS WHERE TRIGGER_SCHEMA = $name", 'BINARY TRIGGER_NAME'),
        $digest->('ROUTINE_NAME, ROUTINE_TYPE, LAST_ALTERED, ROUTINE_DEFINITION, ROUTINE_COMMENT, SECURITY_TYPE, DEFINER', "ROUTINES WHERE ROUTINE_SCHEMA = $name", 'ROUTINE_TYPE, BINARY ROUTINE_NAME'),
        $digest->('EVENT_NAME, LAST_ALTERED, EVENT_DEFINITION, STATUS, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD', "EVENTS WHERE EVENT_SCHEMA = $name", 'BINARY EVENT_NAME'),
        "(SELECT CONCAT(DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = $name)"),
    "))) INTO \@gitted_token;\n";
