# shellcheck shell=sh
# One import or export at a time. The kernel drops the lock when its last holder
# dies, so a crash leaves none behind; the file beside it says who, since when, what.

# Takes the lock, if nobody has it, and prints the time.
try_lock() {
	perl -e 'open(my $f, ">&=", 8) or exit 2; flock($f, 2 | 4) or exit 1; my @t = gmtime; printf "%d-%02d-%02dT%02d:%02d:%02dZ\n", $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0]'
}

lock_holder() {
	{ read -r who && read -r since && read -r what; } 2>/dev/null <"$var/lock.info" || who=someone since=? what=?
	printf '%s, since %s: %s' "$who" "$since" "$what"
}

# What a git that was killed leaves would keep every later one out. Whoever has the lock knows that none is at work.
clear_leftovers() {
	rm -f "$GIT_DIR"/*.lock "$var"/*.index.lock "$var"/bindings/*/*.index.lock
	# No ref has a name like that. The last one may have ended before there was a repository.
	[ ! -d "$GIT_DIR/refs" ] || find "$GIT_DIR/refs" -type f -name '*.lock' -exec rm -f {} +
}

# take_lock wait|soon WHO: for as long as an import may take, or only for the seconds of somebody's fetch.
take_lock() {
	[ "${GITTED_LOCKED:-}" = "" ] || return 0
	[ -d "$var" ] || mkdir -p "$var"
	exec 8>>"$var/lock"
	patience=${GITTED_LOCK_WAIT:-1200}
	[ "$1" = wait ] || patience=25
	waited=0
	until lock_since=$(try_lock); do
		if [ "$waited" -ge "$patience" ]; then
			[ "$1" = wait ] || fail "Someone else is at work in $machine ($(lock_holder)). Try again when it is done."
			fail "Gave up waiting ($(lock_holder))."
		fi
		[ "$1$waited" != wait0 ] || printf '%s\n' "       waiting: someone is at work in $machine ($(lock_holder))" >&2
		sleep 0.2 2>/dev/null || sleep 1
		waited=$((waited + 1))
	done
	# Still there only where the last one did not come to its end.
	[ ! -f "$var/lock.info" ] || clear_leftovers
	lock_who=$2
	GITTED_LOCKED=$$
	export GITTED_LOCKED lock_who lock_since
	note_phase started
}

# Phases are noted by whoever holds the lock, hooks included.
note_phase() {
	[ "${GITTED_LOCKED:-}" != "" ] || return 0
	# Only for people: who reads it in the very moment of writing is told "someone".
	printf '%s\n' "${lock_who:-hook}" "${lock_since:-?}" "$*" >"$var/lock.info"
}

drop_lock() {
	rm -f "$var/lock.info"
	exec 8>&-
	unset GITTED_LOCKED
}
