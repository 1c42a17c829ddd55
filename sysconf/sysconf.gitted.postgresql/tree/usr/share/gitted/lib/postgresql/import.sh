# shellcheck shell=sh
# The half of the PostgreSQL handler that makes a database what the files say; read by handlers/postgresql.
# shellcheck disable=SC2154 # lib, sql, state, stage, database, shadow and old are the reader's.
#
# $stage/kind     same, rows or whole
# $stage/base     the token of the state that the push is about: GITTED_TOKEN, or the one when staging began
# $stage/now      the token after our own trial transaction, when nobody else did anything
# $stage/counted  the numbers of rows at base

# shellcheck disable=SC1091
. "$sql/shadow.sh"

# Ours to take away again: connections are let in, what is beside the database goes.
# $1: how many databases of ours there are, where that is known
verb_rollback() {
	# Rows that were staged have left nothing outside.
	if [ "$(value_of "$stage/kind")" = whole ] || [ "${1:-$(ask "SELECT count(*) FROM pg_catalog.pg_database WHERE datname IN (:'shadow', :'old');")}" != 0 ]; then
		{
			say "SET search_path = '';"
			# A crash between the two names cannot be: both are in one transaction.
			# shellcheck disable=SC2016
			say "SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname) FROM pg_catalog.pg_database WHERE datname = :'db' AND NOT datallowconn \\gexec"
			say "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_catalog.pg_database WHERE datname IN (:'shadow', :'old') AND EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'db' OR :'old' <> datname) \\gexec"
		} | run_psql postgres -v db="$database" -v shadow="$shadow" -v old="$old" || fail "What is left of an import could not be cleared away."
	fi
	if [ -s "$stage/roles" ] && ! [ -e "$stage/swapped" ]; then
		while read -r role; do
			say "DROP ROLE IF EXISTS $role;" | run_psql postgres 2>/dev/null || :
		done <"$stage/roles"
	fi
	rm -rf "$stage"
}

# What psql said, as PATH:LINE: sentence. $1: the file that was standard input, or a table.
explain() {
	perl -we '
		my ($what, $text) = @ARGV;
		my $where = $what;
		$where = "$what:$1" if $what =~ /\.sql$/ && $text =~ /psql:[^:]*:(\d+): (?:ERROR|FATAL|error)/;
		$where = "" if $what eq "foreign keys";
		my ($error) = $text =~ /(?:ERROR|FATAL|error): +(.*)/;
		my ($detail) = $text =~ /DETAIL: +(.*)/;
		my ($hint) = $text =~ /CONTEXT: +COPY [^\n]*?(column .*)/;
		print STDERR $where eq "" ? "" : "$where: ", join("; ", grep { defined } $error // $text, $detail, $hint), "\n";
	' "$1" "$2"
}

# PATH:LINE for a mistake inside the rows that psql was loading. $1: what it echoed, $2: what it said
explain_rows() {
	table=$(tail -n 1 "$1")
	number=$(sed -n 's/^CONTEXT:.*COPY [^,]*, line \([0-9]*\).*/\1/p' "$2" | head -n 1)
	place=$table
	case $table in
	*' insert') [ -z "$number" ] || place=$(sed -n "${number}p" "$stage/${table%% *}.where") ;;
	*' apply') place=$(awk -F '\t' -v n="${table%% *}" '$1 == n { print "data/" $2 }' "$stage/touched") ;;
	*) [ -z "$number" ] || place=$("$lib/gitted-rows" where "$dir" "$table" "$number" copy) ;;
	esac
	explain "$place" "$(cat "$2")"
}

# Runs a dump. Whoever wrote the file may change the database, not run programs: \restrict takes psql's own commands away.
run_dump() {
	run_dump_path=$1
	shift
	restrict=
	if psql --help=commands | grep -q '\\restrict'; then restrict=$(perl -e 'open R, "<", "/dev/urandom"; read R, $b, 16; print unpack "H*", $b'); fi
	if ! run_psql "$shadow" "$@" ${restrict:+-c "\\restrict $restrict"} -f - <"$dir/$run_dump_path" >/dev/null 2>"$stage/error"; then
		explain "$run_dump_path" "$(cat "$stage/error")"
		exit 1
	fi
	grep -v -e NOTICE "$stage/error" >&2 || :
}

# Token, counts and newer rows of now in one snapshot; $1: newer than which snapshot, or empty for counts alone.
measure() {
	{
		cat "$sql/settings.sql"
		say "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
		cat "$sql/token.sql"
		say "\\set gitted_since '$1'"
		cat "$sql/check.sql"
		say "SELECT concat_ws('.', :'gitted_server', :'gitted_snapshot', :'gitted_counters'); SELECT :'gitted_counted'; SELECT :'gitted_newer'; COMMIT;"
	} | run_psql "$database"
}

snapshot_of() {
	snapshot_of_rest=${1%.*}
	printf '%s' "${snapshot_of_rest##*.}"
}

# Whether the database is still what it was when staging began. Under $1 = quick, only the token.
is_unchanged() {
	base=$(value_of "$stage/base")
	if [ "$base" = absent ]; then
		! exists
		return
	fi
	now=$(verb_token)
	if [ "$now" = "$base" ] || { [ -f "$stage/now" ] && [ "$now" = "$(value_of "$stage/now")" ]; }; then return 0; fi
	measure "$(snapshot_of "$base")" >"$stage/measured"
	now=$(sed -n 1p "$stage/measured")
	[ "${now##*.}" = "${base##*.}" ] && [ "$(sed -n 2p "$stage/measured")" = "$(value_of "$stage/counted")" ] && [ "$(sed -n 3p "$stage/measured")" = 0 ]
}

verb_stage() {
	dir=$1
	# Each start of psql takes longer than what it asks.
	answer=$(ask "SELECT concat_ws(' ', pg_catalog.current_setting('server_version_num'), (SELECT count(*) FROM pg_catalog.pg_database WHERE datname = :'db'),
		(SELECT count(*) FROM pg_catalog.pg_database WHERE datname IN (:'shadow', :'old')));") || exit 1
	# shellcheck disable=SC2086 # three numbers
	set -- $answer
	server=$1
	there=$2
	verb_rollback "$3"
	mkdir -p "$stage"
	status=0
	"$lib/gitted-rows" plan "$dir" "${GITTED_OLD_DIR:-}" "${GITTED_CHANGED:-}" "$stage" postgresql "$((server / 10000))" copy || status=$?
	if [ "$status" != 0 ]; then
		rm -rf "$stage"
		exit "$status"
	fi
	if [ "$there" = 1 ]; then
		# The export that belongs to the token has counted the rows already.
		measured=$state/exported
		if [ -z "${GITTED_TOKEN:-}" ] || [ "$(value_of "$measured")" != "$GITTED_TOKEN" ]; then
			measured=$stage/measured
			measure "" >"$measured"
		fi
		{
			IFS= read -r base
			IFS= read -r counted || :
		} <"$measured"
		say "$base" >"$stage/base"
		say "$counted" >"$stage/counted"
		# Never exported, so nobody knows what would be lost.
		if ! [ -f "${GITTED_OLD_DIR:-}/manifest.tsv" ] && [ -n "$(value_of "$stage/counted")" ] && [ "${GITTED_ALLOW_DROP:-}" != all ]; then
			rm -rf "$stage"
			fail "The database $database has rows that were never exported, expected an empty one (git push -o allow-drop=all)."
		fi
	else
		echo absent >"$stage/base"
		echo whole >"$stage/kind"
	fi
	if [ "$(value_of "$stage/kind")" = rows ] && ! check_rows; then
		echo whole >"$stage/kind"
		if [ -n "${GITTED_CHANGED:-}" ]; then exit 3; fi
	fi
	if [ "$(value_of "$stage/kind")" = whole ]; then
		if [ -n "${GITTED_CHANGED:-}" ]; then exit 3; fi
		load_shadow
	fi
}

# How many rows would go, and whether these tables can be changed row by row at all: triggers and rules that fire
# always would, and exclusion constraints that are checked late would not be.
check_rows() {
	perl "$sql/rows.pl" look "$stage" "$sql" | run_psql "$database" >"$stage/answer" || fail "The tables of the changed rows could not be read."
	[ -s "$stage/answer" ] || return 0
	# Where a function is a condition, a command that fails does not end it by itself.
	"$lib/gitted-rows" losses "$dir" "$stage/answer" || exit 1
	! grep -q '^whole$' "$stage/answer"
}

# Quoted for SQL.
literal() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

set_counters() {
	cat "$sql/settings.sql"
	perl "$sql/rows.pl" counters "$dir/sequences.tsv" || say 'SELECT 1/0;'
}

# The planned rows in one transaction. $1: ROLLBACK or COMMIT. Leaves the token of afterwards in $stage/after, and the
# numbers of rows beneath it, when nobody else did anything meanwhile.
run_rows() {
	rm -f "$stage/after" "$stage/script"
	perl "$sql/rows.pl" script "$stage" "$sql" "$dir" "${GITTED_OLD_DIR:-}" "$1" >"$stage/script" || exit 1
	if ! run_psql "$database" <"$stage/script" >"$stage/echo" 2>"$stage/error" 7>"$stage/xid"; then
		if [ "$(tail -n 1 "$stage/echo")" = changed ]; then
			say "The database $database changed while you pushed." >&2
			exit 4
		fi
		explain_rows "$stage/echo" "$stage/error"
		exit 1
	fi
	[ ! -s "$stage/error" ] || grep -v NOTICE "$stage/error" >&2 || :
	IFS='	' read -r xid counters <"$stage/xid"
	before=$(value_of "$stage/now" || value_of "$stage/base")
	after=
	counted=
	while IFS='	' read -r what text; do
		case $what in
		token) after=$text ;;
		counted) counted=$text ;;
		esac
	done <"$stage/echo"
	if [ "$1" = ROLLBACK ]; then counters=${before##*.}; fi
	rest=${before%.*}
	if [ "$before" = "${rest%.*}.$xid:$xid:.${before##*.}" ] && [ "$after" = "${rest%.*}.$((xid + 1)):$((xid + 1)):.$counters" ]; then
		say "$after" "$counted" >"$stage/after"
	fi
}

verb_verify() {
	dir=$1
	case $(value_of "$stage/kind") in
	same) ;;
	rows)
		rm -f "$stage/now"
		run_rows ROLLBACK
		[ ! -f "$stage/after" ] || say "$after" >"$stage/now"
		;;
	whole)
		perl "$sql/rows.pl" counting "$dir" "$stage/counts" | run_psql "$shadow" >"$stage/there"
		sort "$stage/counts" | LC_ALL=C sort >"$stage/wanted"
		LC_ALL=C sort "$stage/there" | cmp -s - "$stage/wanted" || fail "Not as many rows arrived as were loaded: $(LC_ALL=C sort "$stage/there" | diff - "$stage/wanted" | head -n 4 | tr '\n\t' '  ')"
		;;
	*) fail "Nothing is staged, expected stage before verify." ;;
	esac
}

verb_recheck() {
	if [ "${GITTED_TOKEN:-}" != "" ] && [ "$GITTED_TOKEN" != "$(value_of "$stage/base")" ] || ! is_unchanged; then
		say "The database $database changed while you pushed." >&2
		exit 4
	fi
}

verb_commit() {
	dir=$1
	rm -f "$state/token.new"
	case $(value_of "$stage/kind") in
	same)
		is_unchanged || { say "The database $database changed while you pushed." >&2; exit 4; }
		cp "$stage/base" "$state/token.new"
		;;
	rows)
		if ! is_committed; then
			run_rows COMMIT
			if [ -f "$stage/after" ]; then
				say "$after" >"$state/token.new"
				# With it the next push knows the numbers of rows.
				mv "$stage/after" "$state/exported"
			fi
		fi
		;;
	whole) swap ;;
	*) fail "Nothing is staged, expected stage before commit." ;;
	esac
	: >"$stage/kind.done"
}

# Whether an earlier commit came through although it could not say so.
is_committed() {
	if [ -e "$stage/kind.done" ]; then return 0; fi
	if ! [ -e "$stage/committing" ]; then
		: >"$stage/committing"
		rm -f "$stage/xid"
		return 1
	fi
	xid=
	[ ! -r "$stage/xid" ] || IFS='	' read -r xid rest <"$stage/xid" || :
	[ -n "$xid" ] && [ "$(ask "SELECT pg_catalog.pg_xact_status('$xid');")" = committed ]
}
