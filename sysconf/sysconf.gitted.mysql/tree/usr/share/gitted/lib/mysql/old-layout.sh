# shellcheck shell=sh
# Files as the original Gitted and mysqldump write them: TABLE.sql with TABLE.txt (mysqldump --tab), and NAME.dump.sql.
# Read, never written: the export after such an import has the rows in files of this handler's own. Read by import.sh.
# shellcheck disable=SC2154 # lib, sql, stage, dir, database and shadow are the reader's.

is_old_layout() {
	! [ -e "$dir/manifest.tsv" ] && [ -n "$(find "$dir" -maxdepth 1 -type f \( -name '*.sql' -o -name '*.txt' \) | head -n 1)" ]
}

stage_old_layout() {
	if [ -n "${GITTED_CHANGED:-}" ]; then exit 3; fi
	check_old_files || exit 1
	if exists; then
		token_of "$database" >"$stage/base"
		# These files say nothing of what was there before, so nobody knows what would be lost.
		if has_tables "$database" && [ "${GITTED_ALLOW_DROP:-}" != all ]; then
			rm -rf "$stage"
			fail "The files are TABLE.sql and TABLE.txt or a dump, and the database $database has tables, expected an empty one (git push -o allow-drop=all)."
		fi
		sums_of "$database" >"$stage/sums"
	else
		echo absent >"$stage/base"
	fi
	echo whole >"$stage/kind"
	: >"$stage/counts"
	mkdir -p "$stage/new/schema" "$stage/old"
	run_client -e "CREATE DATABASE $(quoted "$shadow") CHARACTER SET utf8mb4;"
	load_old_tables
	find "$dir" -maxdepth 1 -name '*.dump.sql' | LC_ALL=C sort >"$stage/dumps"
	while read -r file; do run_dump "${file##*/}" "$shadow"; done <"$stage/dumps"
	# What the exchange of the tables makes anew, as an export would have it.
	keep_routines new/schema
}

# Where the files of the pushed tree are, for messages: nothing but the two kinds belongs there.
check_old_files() {
	find "$dir" -mindepth 1 | LC_ALL=C sort | perl -we '
		my ($dir, $bad) = (shift, 0);
		my @paths = map { chomp; substr $_, 1 + length $dir } <STDIN>;
		my %there = map { $_ => 1 } @paths;
		for my $path (@paths) {
			if ($path =~ m{^[^/]+\.sql$} && -f "$dir/$path" && !-l "$dir/$path") {
				# It would be carried out there at once, whatever becomes of this push.
				open my $in, "<:raw", "$dir/$path" or die "$path: $!\n";
				while (<$in>) { if (/^\s*(?:USE|(?:CREATE|DROP)\s+(?:DATABASE|SCHEMA))\b/i) { print STDERR "$path:$.: names a database, expected a dump of one database without --databases\n"; $bad = 1; } }
				next;
			}
			if ($path =~ m{^([^/]+)\.txt$} && -f "$dir/$path" && !-l "$dir/$path") {
				next if $there{"$1.sql"};
				print STDERR "$path:1: rows of no table, expected $1.sql beside them\n";
			}
			else { print STDERR "$path:1: this file does not belong here, expected TABLE.sql, TABLE.txt and NAME.dump.sql, or a manifest.tsv\n"; }
			$bad = 1;
		}
		exit $bad;
	' "$dir"
}

# Triggers lie in the TABLE.sql, and must not fire for rows that they have seen already: they go, and come back.
load_old_tables() {
	: >"$stage/views"
	find "$dir" -maxdepth 1 -name '*.sql' ! -name '*.dump.sql' | LC_ALL=C sort >"$stage/tables"
	while read -r file; do
		# A view has no rows of its own.
		if [ -e "${file%.sql}.txt" ]; then run_dump "${file##*/}" "$shadow"; else say "${file##*/}" >>"$stage/views"; fi
	done <"$stage/tables"
	load_old_views
	keep_routines old
	perl "$sql/swap.pl" clear "$shadow" | run_client "$shadow"
	{
		cat "$sql/settings.sql"
		find "$dir" -maxdepth 1 -name '*.txt' | LC_ALL=C sort | perl -we '
			my ($counts) = @ARGV;
			open my $out, ">", $counts or die "$counts: $!\n";
			while (my $path = <STDIN>) {
				chomp $path;
				my ($file) = $path =~ m{([^/]*)$};
				(my $table = $file) =~ s/\.txt$//;
				my $rows = 0;
				open my $in, "<:raw", $path or die "$file: $!\n";
				# A line end inside a value stands behind a backslash.
				while (<$in>) { /(\\*)\n\z/; $rows++ unless defined $1 && length($1) % 2; }
				print $out unpack("H*", $table), " $rows\n";
				$table =~ s/`/``/g;
				$path =~ s/([\x27\\])/\\$1/g;
				# Without a character set of its own, a dump has the bytes of each column as they are.
				print "SELECT \x27file $file\x27;\nLOAD DATA LOCAL INFILE \x27$path\x27 INTO TABLE `$table` CHARACTER SET binary;\nSHOW WARNINGS LIMIT 3;\n";
			}
		' "$stage/counts"
		say "SELECT 'loaded';"
	} >"$stage/load.sql"
	run_client "$shadow" <"$stage/load.sql" >"$stage/echo" 2>"$stage/error" || {
		explain "$(grep '^file ' "$stage/echo" | tail -n 1 | cut -c 6-)" "$(cat "$stage/error")"
		exit 1
	}
	check_warnings "$stage/echo" || exit 1
	run_client "$shadow" <"$stage/old/post-data.sql"
	run_client "$shadow" <"$stage/old/events.sql"
}

# Views may need each other, in any order: as long as one more can be made, the others are tried again.
load_old_views() {
	while [ -s "$stage/views" ]; do
		: >"$stage/left"
		: >"$stage/why"
		while read -r file; do (run_dump "$file" "$shadow") 2>>"$stage/why" || say "$file" >>"$stage/left"; done <"$stage/views"
		if cmp -s "$stage/views" "$stage/left"; then
			cat "$stage/why" >&2
			exit 1
		fi
		mv "$stage/left" "$stage/views"
	done
}

# Views, routines, triggers and events of the shadow, as they go into the directory $stage/$1.
keep_routines() {
	perl "$sql/export.pl" "$shadow" "$stage/$1" || exit 1
	rm -f "$stage/$1/export.sql"
}
