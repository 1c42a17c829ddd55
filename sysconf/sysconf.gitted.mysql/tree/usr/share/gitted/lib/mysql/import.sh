# shellcheck shell=sh
# The half of the MariaDB handler that makes a database what the files say; read by handlers/mysql.
# shellcheck disable=SC2031,SC2154 # lib, sql, state, stage, database, shadow and old are the reader's.
#
# $stage/kind       same, rows or whole
# $stage/base       the token when staging began: what GITTED_TOKEN must be, or $stage/accepted where that is another
# $stage/sums       for the whole: the checksums of all tables at base
# $stage/swapping   names are about to change, or have; live-post.sql and live-events.sql say what to put back
# $stage/swapped    they have, for good

# shellcheck disable=SC1091
. "$sql/old-layout.sh"

# SQL for how many databases of ours there are.
ours="(SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ($(literal "$shadow"), $(literal "$old")))"

# $1: how many databases of ours there are, where that is known
verb_rollback() {
	if [ -e "$stage/swapping" ] && ! [ -e "$stage/swapped" ]; then
		if has_tables "$shadow"; then restore; else finish_swap; fi
	fi
	if [ "${1:-$(run_client -e "SELECT $ours;")}" != 0 ]; then run_client -e "DROP DATABASE IF EXISTS $(quoted "$shadow"); DROP DATABASE IF EXISTS $(quoted "$old");"; fi
	if [ -s "$stage/mark" ]; then run_client -e "DELETE FROM gitted_journal.done WHERE mark = '$(cat "$stage/mark")';" 2>/dev/null || :; fi
	rm -rf "$stage"
}

has_tables() {
	[ "$(run_client -e "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = $(literal "$1") AND TABLE_TYPE <> 'VIEW';")" != 0 ]
}

# Triggers went before the names were to change; they come back.
restore() {
	perl "$sql/swap.pl" clear "$database" | run_client "$database"
	run_client "$database" <"$stage/live-post.sql"
	run_client "$database" <"$stage/live-events.sql"
	rm -f "$stage/swapping"
}

# What the client said, as PATH:LINE: sentence.
explain() {
	perl -we '
		my ($what, $text) = @ARGV;
		my ($line, $error) = $text =~ /ERROR \d+ \(\w+\) at line (\d+)[^:]*: (.*)/;
		$error =~ s/; check the manual that corresponds to your MariaDB server version for the right syntax to use//, $error =~ s/near .\K(.{40}).*/$1.../ if defined $error;
		print STDERR $what, ($what =~ /\.sql$/ && defined $line ? ":$line" : ""), ": ", $error // $text, "\n";
	' "$1" "$2"
}

# Runs a dump. Whoever wrote the file may change the database, not run programs: so the client's own commands are off.
run_dump() {
	[ -s "$dir/$1" ] || return 0
	if ! { printf '/*M!999999\\- enable the sandbox mode */ SET SESSION foreign_key_checks = 0; ' && cat "$dir/$1"; } | run_client "$2" >/dev/null 2>"$stage/error"; then
		explain "$1" "$(cat "$stage/error")"
		exit 1
	fi
}

# A warning of LOAD DATA is an error of the file that was being read. $1: what the client printed
check_warnings() {
	grep -q -E '^(Warning|Error)	' "$1" || return 0
	perl -we '
		my ($stage, $file, $rows, $dir) = @ARGV;
		my ($at, $bad) = ("");
		open my $in, "<", $file or exit 1;
		while (<$in>) {
			chomp;
			if (/^file (.*)/ || /^(table .*)/ || /^(\d+ (?:insert|delete|apply))$/ || /^(counters\.tsv:\d+)$/) { $at = $1; next; }
			next unless /^(Warning|Error)\t\d+\t(.*)/;
			my $text = $2;
			my ($row) = $text =~ /\bat row (\d+)$/ || $text =~ /^Row (\d+)/ ? $1 : undef;
			my $where = $at;
			if ($at =~ /^(\d+) insert$/ && $row) { open my $w, "<", "$stage/$1.where"; my @w = <$w>; chomp($where = $w[$row - 1] // $at); }
			elsif ($at =~ /^table (.*)/) {
				# Its files came one after the other.
				$where = "data/$1";
				if ($row && open my $place, "-|", $rows, "where", $dir, $1, $row, "tsv") { chomp($where = <$place> // $where); }
			}
			elsif ($row) { $where = "$at:$row"; }
			$text =~ s/ for column (?:`[^`]*`\.`[^`]*`\.)?`([^`]*)`/ for column $1/; $text =~ s/ at row \d+$//;
			print STDERR "$where: $text\n";
			$bad = 1;
		}
		exit($bad ? 1 : 0);
	' "$stage" "$1" "$lib/gitted-rows" "$dir"
}

verb_stage() {
	dir=$1
	# Each start of the client takes longer than what it asks.
	answer=$(run_client -e "SELECT (SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = $(literal "$database")), $ours, VERSION();") || exit 1
	# shellcheck disable=SC2086 # three words
	set -- $answer
	there=$1
	server=$3
	verb_rollback "$2"
	mkdir -p "$stage"
	if is_old_layout; then
		stage_old_layout
		return
	fi
	status=0
	"$lib/gitted-rows" plan "$dir" "${GITTED_OLD_DIR:-}" "${GITTED_CHANGED:-}" "$stage" mysql "$(say "$server" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')" tsv || status=$?
	if [ "$status" != 0 ]; then
		rm -rf "$stage"
		exit "$status"
	fi
	if [ "$there" = 1 ]; then
		token_of "$database" >"$stage/base"
		if [ -n "${GITTED_TOKEN:-}" ] && [ "$GITTED_TOKEN" != "$(cat "$stage/base")" ]; then look_again; fi
		# Never exported, so nobody knows what would be lost.
		if ! [ -f "${GITTED_OLD_DIR:-}/manifest.tsv" ] && has_tables "$database" && [ "${GITTED_ALLOW_DROP:-}" != all ]; then
			rm -rf "$stage"
			fail "The database $database has tables that were never exported, expected an empty one (git push -o allow-drop=all)."
		fi
	else
		echo absent >"$stage/base"
		echo whole >"$stage/kind"
	fi
	if [ "$(cat "$stage/kind")" = rows ]; then
		count_losses || exit 1
		status=0
		perl "$sql/apply.pl" "$database" "$stage" >"$stage/apply.sql" || status=$?
		case $status in
		0) perl "$sql/foreign-keys.pl" "$database" "$stage/touched" >>"$stage/apply.sql" ;;
		3) echo whole >"$stage/kind" ;;
		*) exit 1 ;;
		esac
	fi
	if [ "$(cat "$stage/kind")" = whole ]; then
		if [ -n "${GITTED_CHANGED:-}" ]; then exit 3; fi
		load_shadow
	fi
}

# The server's own work, and what happens in its other databases, moves the token too. So another
# token may be the same state: a new export tells. $stage/accepted then is the token that is as good as the one of now.
look_again() {
	[ -f "${GITTED_OLD_DIR:-}/manifest.tsv" ] || return 0
	if [ -n "${GITTED_CHANGED:-}" ]; then
		rm -rf "$stage"
		exit 3
	fi
	mkdir -p "$stage/again/state" "$stage/again/tree"
	(
		# shellcheck disable=SC2030,SC2031
		state=$stage/again/state
		export GITTED_STATE="$state"
		verb_export "$stage/again/tree"
	) || exit 1
	if diff -rq "$GITTED_OLD_DIR" "$stage/again/tree" >/dev/null; then
		mv "$stage/again/state/token.new" "$stage/base"
		say "$GITTED_TOKEN" >"$stage/accepted"
	fi
	rm -rf "$stage/again"
}

count_losses() {
	awk -F '\t' '$9 > 10 { print $2, $4, $9 }' "$stage/touched" | while read -r path name lost; do
		run_client -e "SELECT '$path', count(*), $lost FROM $(quoted "$database").$(quoted "$(perl -e 'print pack "H*", shift' "$name")");" || exit 1
	done >"$stage/answer"
	[ ! -s "$stage/answer" ] || "$lib/gitted-rows" losses "$dir" "$stage/answer"
}

load_shadow() {
	if [ "$(cat "$stage/base")" != absent ]; then sums_of "$database" >"$stage/sums"; fi
	# shellcheck disable=SC2046 # two words
	set -- $(sed -n 's/^encoding	\([a-z0-9_]*\)	\([a-z0-9_]*\)$/\1 \2/p' "$dir/manifest.tsv")
	"$lib/gitted-rows" secrets "$dir" >"$stage/secrets" || exit 1
	live=$database
	if [ "$(cat "$stage/base")" = absent ]; then
		live=
		sed -n -e 's/^left-out	\([^	]*\).*/\1: its rows are not in the files: it begins empty./p' -e 's/^masked	\([^	]*\).*/\1: its masked columns are not in the files: they begin with their defaults./p' "$stage/secrets" >&2
	fi
	# A crash may have to be finished when the pushed tree is no longer at hand.
	mkdir -p "$stage/new/schema"
	cp "$dir"/schema/*.sql "$stage/new/schema/"
	run_client -e "CREATE DATABASE $(quoted "$shadow") CHARACTER SET ${1:-utf8mb4} COLLATE ${2:-utf8mb4_general_ci};"
	run_dump schema/pre-data.sql "$shadow"
	loaded=0
	{
		cat "$sql/settings.sql"
		# The files are looked through while the server loads those before them.
		{
			checked=0
			"$lib/gitted-rows" check "$dir" tsv "$stage/counts" || checked=$?
			say "$checked" >"$stage/checked"
		} | perl "$sql/load.pl" "$shadow" "$dir" "$stage/secrets" "$live" "$stage/feed"
	} | run_client "$shadow" >"$stage/echo" 2>"$stage/error" || loaded=$?
	# Where the server refused something before, nobody listened to the end of the list.
	case $(cat "$stage/checked") in 0 | 141) ;; *) exit 1 ;; esac
	[ $loaded = 0 ] || {
		explain "$(grep '^table ' "$stage/echo" | tail -n 1 | sed 's,^table ,data/,')" "$(cat "$stage/error")"
		exit 1
	}
	check_warnings "$stage/echo" || exit 1
	[ "$(tail -n 1 "$stage/echo")" = loaded ] || exit 1
	run_dump schema/post-data.sql "$shadow"
	set_counters "$shadow" ""
}

# $1: the database, $2: the counters that are right already
set_counters() {
	perl "$sql/counters.pl" "$dir/counters.tsv" "$2" >"$stage/counters.sql" || exit 1
	[ -s "$stage/counters.sql" ] || return 0
	run_client "$1" <"$stage/counters.sql" >"$stage/echo" 2>"$stage/error" || {
		explain "$(grep '^counters' "$stage/echo" | tail -n 1)" "$(cat "$stage/error")"
		exit 1
	}
}

# The planned rows in one transaction. $1: ROLLBACK or COMMIT
run_rows() {
	{
		cat "$sql/settings.sql"
		say "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES');" "START TRANSACTION;"
		cat "$stage/apply.sql"
		if [ "$1" = COMMIT ]; then say "INSERT INTO gitted_journal.done VALUES ('$(cat "$stage/mark")');"; fi
		say "$1;" "SELECT 'done';"
	} >"$stage/run.sql"
	run_client "$database" <"$stage/run.sql" >"$stage/echo" 2>"$stage/error" || {
		if grep -q 'gitted: changed' "$stage/error"; then
			echo "The database $database changed while you pushed." >&2
			exit 4
		fi
		at=$(grep -E '^[0-9]+ (insert|delete|apply)$' "$stage/echo" | tail -n 1)
		check_warnings "$stage/echo" || exit 1
		if grep -q '(foreign key' "$stage/error"; then
			sed 's/.*at line [0-9]*[^:]*: //' "$stage/error" >&2
		else
			explain "$(awk -F '\t' -v n="${at%% *}" '$1 == n { print "data/" $2 }' "$stage/touched")" "$(cat "$stage/error")"
		fi
		exit 1
	}
	check_warnings "$stage/echo" || exit 1
}

verb_verify() {
	dir=$1
	case $(cat "$stage/kind" 2>/dev/null) in
	same) ;;
	rows) run_rows ROLLBACK ;;
	whole)
		while read -r name rows; do
			there=$(run_client "$shadow" -e "SELECT count(*) FROM $(quoted "$(perl -e 'print pack "H*", shift' "$name")");")
			[ "$there" = "$rows" ] || fail "data/$(perl -e 'print pack "H*", shift' "$name"): $there of $rows rows arrived, expected all."
		done <"$stage/counts"
		perl "$sql/foreign-keys.pl" "$shadow" | run_client "$shadow" >/dev/null 2>"$stage/error" || {
			sed 's/.*at line [0-9]*[^:]*: //' "$stage/error" >&2
			exit 1
		}
		;;
	*) fail "Nothing is staged, expected stage before verify." ;;
	esac
}

# For the whole every table is compared by its checksum. For rows it is enough that nothing happened before staging:
# the transaction of commit compares each row that it changes, and leaves others to the next export.
verb_recheck() {
	changed=
	if [ -n "${GITTED_TOKEN:-}" ] && [ "$GITTED_TOKEN" != "$(cat "$stage/accepted" 2>/dev/null || cat "$stage/base")" ]; then changed=1; fi
	if [ "$(cat "$stage/base")" = absent ]; then
		if exists; then changed=1; fi
	elif [ "$(cat "$stage/kind")" = whole ] && [ -z "$changed" ] && ! is_as_counted "$database"; then changed=1; fi
	if [ -n "$changed" ]; then
		echo "The database $database changed while you pushed." >&2
		exit 4
	fi
}

sums_of() {
	{
		cat "$sql/settings.sql"
		perl "$sql/swap.pl" sums "$1"
	} | run_client
}

is_as_counted() {
	sums_of "$1" | cmp -s - "$stage/sums"
}

verb_commit() {
	dir=$1
	rm -f "$state/token.new"
	case $(cat "$stage/kind" 2>/dev/null) in
	same) ;;
	rows)
		done=0
		if [ -s "$stage/mark" ]; then
			done=$(run_client -e "SELECT count(*) FROM gitted_journal.done WHERE mark = '$(cat "$stage/mark")';")
		else
			run_client -e "CREATE DATABASE IF NOT EXISTS gitted_journal; CREATE TABLE IF NOT EXISTS gitted_journal.done (mark CHAR(32) PRIMARY KEY) ENGINE=InnoDB;"
			perl -e 'open R, "<", "/dev/urandom"; read R, $b, 16; print unpack "H*", $b' >"$stage/mark"
		fi
		if [ "$done" = 0 ]; then run_rows COMMIT; fi
		# Counters know no transactions; they are set to what the files say as often as asked.
		set_counters "$database" "${GITTED_OLD_DIR:-}/counters.tsv"
		;;
	whole) swap ;;
	*) fail "Nothing is staged, expected stage before commit." ;;
	esac
}

swap() {
	if [ -e "$stage/swapped" ]; then return 0; fi
	if ! [ -e "$stage/swapping" ]; then
		verb_recheck
		if [ "$(cat "$stage/base")" = absent ]; then
			run_client -e "CREATE DATABASE IF NOT EXISTS $(quoted "$database");"
			: >"$stage/live-post.sql"
			: >"$stage/live-events.sql"
		else
			mkdir -p "$stage/live"
			perl "$sql/export.pl" "$database" "$stage/live" || exit 1
			mv "$stage/live/post-data.sql" "$stage/live-post.sql"
			mv "$stage/live/events.sql" "$stage/live-events.sql"
		fi
		run_client -e "CREATE DATABASE IF NOT EXISTS $(quoted "$old");"
		: >"$stage/swapping"
	fi
	if has_tables "$shadow" || ! has_tables "$old"; then
		{
			cat "$sql/settings.sql"
			perl "$sql/swap.pl" before "$database" "$shadow"
		} | run_client || { restore; exit 1; }
		{
			cat "$sql/settings.sql"
			perl "$sql/swap.pl" rename "$database" "$shadow" "$old"
		} | run_client 2>"$stage/error" || {
			explain "The tables could not be exchanged" "$(cat "$stage/error")"
			run_client -e "SELECT CONCAT('Connection ', ID, ' of ', USER, ' is busy for ', TIME, ' s: ', LEFT(INFO, 60)) FROM information_schema.PROCESSLIST WHERE DB = $(literal "$database") AND ID <> CONNECTION_ID();" >&2
			restore
			exit 1
		}
		# Written between the last look and the exchange: then the exchange is taken back.
		if [ "$(cat "$stage/base")" != absent ] && ! is_as_counted "$old"; then
			perl "$sql/swap.pl" back "$database" "$shadow" "$old" | run_client
			restore
			echo "The database $database changed while you pushed." >&2
			exit 4
		fi
	fi
	finish_swap
}

finish_swap() {
	# shellcheck disable=SC2046 # two words
	set -- $(run_client -e "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = $(literal "$shadow");")
	if [ $# = 2 ]; then run_client -e "ALTER DATABASE $(quoted "$database") CHARACTER SET $1 COLLATE $2;"; fi
	perl "$sql/swap.pl" defaults "$database" "$shadow" | run_client "$database"
	perl "$sql/swap.pl" clear "$database" | run_client "$database"
	dir=$stage/new
	run_dump schema/post-data.sql "$database"
	run_dump schema/events.sql "$database"
	: >"$stage/swapped"
	if exists "$old"; then run_client -e "DROP DATABASE $(quoted "$old");"; fi
	if exists "$shadow"; then run_client -e "DROP DATABASE $(quoted "$shadow");"; fi
}
