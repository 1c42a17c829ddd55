# shellcheck shell=sh
# Places, messages and the repository.

etc=$GITTED_ROOT/etc/gitted
var=$GITTED_ROOT/var/lib/gitted
journal=$var/journal
decision=$var/decision
program=$GITTED_ROOT/usr/bin/gitted
newline='
'

GIT_DIR=${GITTED_REPOSITORY:-$GITTED_ROOT/local.repository.git}
GITTED_PROGRAM=$program
export GIT_DIR GITTED_PROGRAM

# What the repository's ids are; before there is one, what those of the repository are that set this machine up.
object_format=sha1
if [ -r "$GIT_DIR/config" ]; then
	while read -r key _ value; do
		[ "$key" != objectformat ] || object_format=$value
	done <"$GIT_DIR/config"
elif [ -r "$etc/object-format" ]; then
	read -r object_format <"$etc/object-format" || :
fi
case $object_format in
sha256)
	null_id=0000000000000000000000000000000000000000000000000000000000000000
	empty_tree=6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321
	;;
*)
	null_id=0000000000000000000000000000000000000000
	empty_tree=4b825dc642cb6eb9a060e54bf8d69288fbee4904
	;;
esac
# A hook inherits settings of the push; everything here speaks plain git.
LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
umask 022

# A program that is started costs more than what it does here: a push took longer to start hundreds of them than to do its
# work. So what the shell can do by itself is done by it.
machine=''
[ ! -r "$etc/name" ] || read -r machine <"$etc/name" || :
[ "$machine" != "" ] || machine=$(uname -n)
: "${HOME:=/root}"
GIT_AUTHOR_NAME="$machine"
GIT_AUTHOR_EMAIL=gitted@$machine
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export HOME GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

phase() {
	printf '%s\n' "-----> $*" >&2
	note_phase "$*"
}
say() { printf '%s\n' "       $*" >&2; }
finish() { printf '%s\n' "=====> $*" >&2; }
complain() { printf '%s\n' "Error: $*" >&2; }
fail() {
	complain "$*"
	exit 1
}

# Sets `moment` to a clock's tenths of a second.
now() {
	moment=''
	{ read -r moment rest </proc/uptime; } 2>/dev/null || :
	case $moment in
	*.?*)
		rest=${moment#*.}
		moment=${moment%%.*}${rest%"${rest#?}"}
		moment=${moment#0}
		;;
	*) moment=$(date +%s)0 ;;
	esac
}

# Sets `seconds` to the time since a moment, for people.
seconds_since() {
	now
	seconds="$(((moment - $1) / 10)).$(((moment - $1) % 10)) s"
}

# read_line FILE: sets `line` to its first line, '' where there is none. (To start cat for it takes longer.)
read_line() {
	line=''
	[ ! -r "$1" ] || IFS= read -r line <"$1" || :
}

# encode_slashes TEXT: sets `encoded`, the form in which a branch is part of a file's name.
encode_slashes() {
	encoded=$1
	while :; do
		case $encoded in
		*/*) encoded=${encoded%%/*}%2f${encoded#*/} ;;
		*) return 0 ;;
		esac
	done
}

# The repository, with the settings that make it safe to take what comes; made by whoever has the lock.
ensure_repository() {
	if [ ! -d "$var/bindings" ] || [ ! -d "$etc/sync" ]; then
		mkdir -p "$var/bindings" "$etc/sync"
		chmod 700 "$var"
	fi
	[ -f "$GIT_DIR/gitted-ready" ] && return 0
	GIT_DEFAULT_HASH=$object_format git init -q --bare "$GIT_DIR"
	git config core.hooksPath "$GITTED_SHARE/git-hooks"
	git config receive.advertisePushOptions true
	git config receive.denyDeletes false
	git config receive.denyCurrentBranch ignore
	git config receive.autogc false
	git config receive.keepAlive 2
	git config transfer.fsckObjects true
	git config transfer.hideRefs refs/gitted/before
	git config gc.auto 0
	# One flush for all objects of a push, in place of one for each.
	git config core.fsyncMethod batch
	git config core.compression 1
	git config pack.compression 1
	git config pack.window 0
	mkdir -p "$GIT_DIR/info"
	# Bytes in, bytes out: nothing in a pushed tree may rewrite data on its way.
	printf '%s\n' '* -text -eol -filter -ident -working-tree-encoding -export-subst -export-ignore' >"$GIT_DIR/info/attributes"
	: >"$GIT_DIR/gitted-ready"
}

# Writes a file so that a crash leaves the old or the new content.
write_file() {
	cat >"$1.new" || return 1
	mv -f "$1.new" "$1"
}

# write_line FILE TEXT: the same for one line.
write_line() {
	printf '%s\n' "$2" >"$1.new" || return 1
	mv -f "$1.new" "$1"
}

run_hooks() {
	for hooks_directory in "$etc/hook/$1.d" "$GITTED_ROOT/etc/glxc/hook/$1.d"; do
		[ -d "$hooks_directory" ] || continue
		for hook in "$hooks_directory"/*; do
			[ -x "$hook" ] || continue
			"$hook" >&2 </dev/null 8>&- || fail "The hook $hook failed."
		done
	done
}
