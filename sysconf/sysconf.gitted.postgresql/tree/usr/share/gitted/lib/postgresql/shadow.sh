# shellcheck shell=sh
# The database beside the live one, when more than rows changed: filled, then swapped; read by import.sh.
# shellcheck disable=SC2154 # lib, sql, stage, dir, database, shadow and old are the reader's.

create_roles() {
	: >"$stage/roles"
	perl -ne 'if (/^role\t(\S+)\t(\S+)$/) { my ($n, $l) = ($1, $2); $n =~ s/%(..)/chr hex $1/ge; print unpack("H*", $n), "\t", $l eq "login" ? "LOGIN" : "NOLOGIN", "\n" }' "$dir/manifest.tsv" |
		while read -r name login; do
			missing="FROM pg_catalog.convert_from('\\x$name'::bytea, 'UTF8') r WHERE r NOT IN (SELECT rolname FROM pg_catalog.pg_roles)"
			say "SELECT format('%I', r) $missing;" "SELECT format('CREATE ROLE %I $login', r) $missing \\gexec" | run_psql postgres >>"$stage/roles" || exit 1
		done
}

load_shadow() {
	create_roles
	# shellcheck disable=SC2046 # five words
	set -- $(sed -n 's/^encoding	\([^	]*\)	locale	\(.\)	\([^	]*\)	\([^	]*\)	\(.*\)/\1 \2 \3 \4 \5/p' "$dir/manifest.tsv")
	locale=
	if [ $# = 5 ]; then
		locale="ENCODING $(literal "$1") LC_COLLATE $(literal "$3") LC_CTYPE $(literal "$4")"
		if [ "$2" = i ]; then locale="$locale LOCALE_PROVIDER icu ICU_LOCALE $(literal "$5")"; fi
	fi
	ask "CREATE DATABASE :\"shadow\" TEMPLATE template0 $locale;" || fail "A database beside $database could not be made."
	ask "SELECT oid FROM pg_catalog.pg_database WHERE datname = :'shadow';" >"$stage/oid"
	fast="SET synchronous_commit = off; SET maintenance_work_mem = '256MB'"
	run_dump schema/pre-data.sql -1
	# One by one: each takes a lock, and a transaction has only so many.
	if [ -f "$dir/schema/large-objects.sql" ]; then run_dump schema/large-objects.sql -c "$fast"; fi
	keep_values || exit 1
	{
		cat "$sql/settings.sql"
		say "BEGIN; CREATE TEMP TABLE gitted_pages (loid oid, pageno bigint, data bytea) ON COMMIT DROP;"
		perl "$sql/rows.pl" load "$dir" copy "$stage/counts" &&
			say "SELECT count(pg_catalog.lo_put(loid, pageno * 2048, data)) AS pages FROM pg_temp.gitted_pages \\gset gitted_" &&
			say "COMMIT;" && say '\echo committed'
	} | run_psql "$shadow" -c "$fast" -f - >"$stage/echo" 2>"$stage/error" || :
	if [ "$(tail -n 1 "$stage/echo")" != committed ]; then
		if grep -q ERROR "$stage/error"; then explain_rows "$stage/echo" "$stage/error"; else cat "$stage/error" >&2; fi
		exit 1
	fi
	keep_rows || exit 1
	run_dump schema/post-data.sql -1 -c "$fast"
	set_counters | run_psql "$shadow" >"$stage/echo" 2>"$stage/error" || {
		explain "$(tail -n 1 "$stage/echo")" "$(cat "$stage/error")"
		exit 1
	}
	if [ -f "$dir/schema/database.sql" ]; then run_dump schema/database.sql -1 -v "database=$shadow"; fi
}

# Values that were masked in the files stay what they are: kept.TABLE has the live ones, with their keys.
keep_values() {
	"$lib/gitted-rows" secrets "$dir" >"$stage/secrets" || return 1
	while read -r what path schema name key columns; do
		[ "$what" = masked ] || continue
		if [ "$(value_of "$stage/base")" = absent ]; then
			say "$path: its masked columns are not in the files: they begin with their defaults." >&2
			continue
		fi
		relation_of "$schema" "$name"
		all=$(say "$key,$columns" | tr ',' ' ')
		[ "$(columns_of "$all" | run_psql "$database" | wc -w)" = "$(say "$all" | wc -w)" ] || continue
		copy_of "$(quoted_names "$all")" | run_psql "$database" >"$stage/kept.$path" || return 1
	done <"$stage/secrets"
}

# Rows of tables that were left out of the files come from the live database; whoever writes there meanwhile is noticed like any other.
keep_rows() {
	while read -r what path schema name rest; do
		[ "$what" = left-out ] || continue
		if [ "$(value_of "$stage/base")" = absent ]; then
			say "$path: its rows are not in the files: it begins empty." >&2
			continue
		fi
		relation_of "$schema" "$name"
		there=$(columns_of | run_psql "$shadow") || return 1
		[ -n "$there" ] || fail "manifest.tsv:1: the table $path is left out, and is not in schema/pre-data.sql, expected it there"
		both=$(columns_of "$there" | run_psql "$database") || return 1
		[ -n "$both" ] || continue
		copy_of "$(quoted_names "$both")" | run_psql "$database" >"$stage/kept" || return 1
		{
			cat "$sql/settings.sql"
			say "SELECT format('COPY %s (%s) FROM STDIN', $relation, $(literal "$(quoted_names "$both")")) AS copy \\gset" ':copy;'
			cat "$stage/kept"
			say '\.'
		} | run_psql "$shadow" -c "$fast" -f - || return 1
		# The numbers that its own sequences have reached.
		say "SELECT format('SELECT pg_catalog.setval(s, %s) FROM pg_catalog.to_regclass(%L) s WHERE s IS NOT NULL;', pg_catalog.pg_sequence_last_value(q.seqrelid), format('%I.%I', n.nspname, s.relname))
		  FROM pg_catalog.pg_sequence q JOIN pg_catalog.pg_depend d ON d.objid = q.seqrelid AND d.deptype IN ('a', 'i') AND d.refobjid = pg_catalog.to_regclass($relation)
		  JOIN pg_catalog.pg_class s ON s.oid = q.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
		 WHERE pg_catalog.pg_sequence_last_value(q.seqrelid) IS NOT NULL;" | run_psql "$database" >"$stage/kept" || return 1
		run_psql "$shadow" <"$stage/kept" >/dev/null || return 1
		rm -f "$stage/kept"
	done <"$stage/secrets"
}

# Sets relation to SQL for the quoted name. $1, $2: schema and name in hexadecimal
relation_of() {
	relation="format('%I.%I', pg_catalog.convert_from('\\x$1', 'UTF8'), pg_catalog.convert_from('\\x$2', 'UTF8'))"
}

# SQL for the columns of relation in hexadecimal; $1: only these
columns_of() {
	say "SELECT coalesce(string_agg(pg_catalog.encode(pg_catalog.convert_to(attname, 'UTF8'), 'hex'), ' ' ORDER BY attnum), '') FROM pg_catalog.pg_attribute
	 WHERE attrelid = pg_catalog.to_regclass($relation) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
	   AND ('${1:-}' = '' OR pg_catalog.encode(pg_catalog.convert_to(attname, 'UTF8'), 'hex') = ANY (pg_catalog.string_to_array('${1:-}', ' ')));"
}

# SQL that writes columns of relation out. $1: their names, quoted
copy_of() {
	cat "$sql/settings.sql"
	say "SELECT format('COPY (SELECT %s FROM %s%s) TO STDOUT', $(literal "$1"), CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, $relation) FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($relation) \\gexec"
}

# Names in hexadecimal, divided by spaces, as SQL has them.
quoted_names() {
	perl -e 'print join ", ", map { my $n = pack "H*", $_; $n =~ s/"/""/g; "\"$n\"" } split / /, shift' "$1"
}

# Both names change in one transaction, after the old database has been shut to everybody else and looked at once more.
swap() {
	if [ "$(ask "SELECT oid FROM pg_catalog.pg_database WHERE datname = :'db';")" != "$(cat "$stage/oid")" ]; then
		{
			if [ "$(value_of "$stage/base")" != absent ]; then
				GITTED_BLOCK=$(ask "SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS false', :'db');")
				GITTED_END=$(ask "SELECT format('SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE datname = %L AND pid <> ', :'db');")
				export GITTED_BLOCK GITTED_END
				cat "$sql/settings.sql"
				say 'SELECT pg_catalog.pg_backend_pid() AS pid \gset gitted_'
				say '\setenv GITTED_PID :gitted_pid'
				# shellcheck disable=SC2016
				say '\! psql -X -q -d postgres -c "$GITTED_BLOCK" -c "$GITTED_END $GITTED_PID" >&2'
				cat "$sql/token.sql"
				base=$(value_of "$stage/base")
				say "\\set gitted_since '$(snapshot_of "$base")'"
				cat "$sql/check.sql"
				say '\echo changed'
				say "SELECT 1 / (:'gitted_counters' = '${base##*.}' AND :'gitted_counted' = '$(value_of "$stage/counted")' AND :gitted_newer = 0)::int AS same \\gset gitted_"
				say '\echo swap'
			fi
			say '\connect postgres'
			say "SET search_path = ''; SET lock_timeout = '5s'; BEGIN;"
			if [ "$(value_of "$stage/base")" != absent ]; then say 'ALTER DATABASE :"db" RENAME TO :"old";'; fi
			say 'ALTER DATABASE :"shadow" RENAME TO :"db"; COMMIT;'
			say '\echo swapped'
		} >"$stage/swap.sql"
		first=$database
		if [ "$(value_of "$stage/base")" = absent ]; then first=postgres; fi
		run_psql "$first" -v db="$database" -v shadow="$shadow" -v old="$old" <"$stage/swap.sql" >"$stage/echo" 2>"$stage/error" || :
		case $(tail -n 1 "$stage/echo") in
		swapped) ;;
		changed)
			ask 'ALTER DATABASE :"db" ALLOW_CONNECTIONS true;'
			say "The database $database changed while you pushed." >&2
			exit 4
			;;
		*)
			cat "$stage/error" >&2
			if exists; then ask 'ALTER DATABASE :"db" ALLOW_CONNECTIONS true;'; fi
			exit 1
			;;
		esac
	fi
	: >"$stage/swapped"
	ask 'DROP DATABASE IF EXISTS :"old" WITH (FORCE);' || say "The former database stays as $old." >&2
}
