# shellcheck shell=sh
# What `gitted` does when it is called.

# command_remote [--framed] [--remote NAME] git-receive-pack|git-upload-pack|look
command_remote() {
	framed=''
	fresh=''
	wanted=''
	GITTED_REMOTE=''
	while [ $# -gt 1 ]; do
		case $1 in
		--framed) framed=1 ;;
		--fresh) fresh=1 ;;
		--branch)
			wanted=$2
			shift
			;;
		--id)
			check_id "$2"
			shift
			;;
		--remote)
			GITTED_REMOTE=$2
			shift
			;;
		*) fail "There is no option \"$1\"." ;;
		esac
		shift
	done
	export GITTED_REMOTE
	# Standard output belongs to git alone: one stray line breaks its protocol.
	exec 3>&1 1>&2
	case ${1:-} in
	git-receive-pack | receive-pack) serve_push ;;
	git-upload-pack | upload-pack) serve_fetch ;;
	look) serve_look ;;
	*) fail "There is no service \"${1:-}\", expected git-receive-pack or git-upload-pack." ;;
	esac
}

serve_fetch() {
	# Who has just looked wants what was there then.
	{ [ "$fresh" != "" ] && [ -f "$GIT_DIR/gitted-ready" ]; } || bring_out
	serve git upload-pack "$GIT_DIR"
	run_hooks post-git
}

# All that a fetch does but for git's own talk: prints where the branch is, for whoever may have that already.
serve_look() {
	bring_out
	git rev-parse -q --verify "refs/heads/$wanted" >&3 || :
	run_hooks post-git
}

bring_out() {
	take_lock wait "fetch of ${GITTED_REMOTE:-someone}"
	ensure_repository
	recover
	run_hooks pre-git
	export_all pull
	drop_lock
}

serve_push() {
	take_lock soon "push to ${GITTED_REMOTE:-this machine}"
	ensure_repository
	recover
	run_hooks pre-git
	export_all push
	rmdir "$decision" 2>/dev/null || :
	refs=$(git for-each-ref refs/heads refs/tags)
	code=0
	serve git receive-pack "$GIT_DIR" || code=$?
	# What the hook left open: it died, or receive-pack did before the branch moved.
	settle_push
	rmdir "$decision" 2>/dev/null || :
	[ $code -eq 0 ] || exit $code
	run_hooks post-git
	drop_lock
	# For the client, which has nothing to say about a push that moved nothing.
	[ "$framed" = "" ] || [ "$refs" != "$(git for-each-ref refs/heads refs/tags)" ] || exit 64
}

# Another machine may have got this name meanwhile.
check_id() {
	read_line "$etc/id"
	[ "$line" = "$1" ] || fail "This machine belongs to another repository (/etc/gitted/id)."
}

# Runs git with its own standard output; framed input tells the end of data from the end of the other side.
serve() {
	if [ "$framed" = "" ]; then
		"$@" >&3
	else
		GITTED_WATCHED=1 perl "$GITTED_LIB/supervise.pl" "$decision" "$@" >&3
	fi
}

settle_push() {
	[ -f "$journal" ] || return 0
	# shellcheck disable=SC2046
	set -- $(head -n 1 "$journal")
	if [ "$(git rev-parse -q --verify "refs/heads/$2" || :)" = "$4" ]; then journal_end; else recover; fi
}

# export_all pull|push
export_all() {
	{
		list_bound_branches
		read_line "$var/branch"
		[ "$line" = "" ] || printf '%s\n' "$line"
	} | sort -u >"$var/branches"
	while read -r bound; do
		newer=''
		export_branch "$bound" "$1"
		[ "$newer" = "" ] || [ "$1" = pull ] || say "the container has newer state ($newer): git pull ${GITTED_REMOTE:-REMOTE} $bound"
	done <"$var/branches"
}

# The hook of receive-pack: standard input has one line OLD NEW REF for each ref.
command_pre_receive() {
	take_lock soon "push"
	read_push_options
	chosen=''
	while read -r old new ref; do
		case $ref in
		refs/heads/*) check_branch "${ref#refs/heads/}" "$old" "$new" ;;
		refs/gitted/*) fail "$ref is gitted's own; it cannot be pushed to." ;;
		esac
	done
	[ "$chosen" != "" ] || return 0
	# shellcheck disable=SC2086
	set -- $chosen
	branch=$1
	import_branch "$1" "$2" "$3" || exit 1
	if [ ! -f "$var/branch" ]; then
		write_line "$var/branch" "$1"
		git_outside symbolic-ref HEAD "refs/heads/$1"
	fi
}

# Only the branch that this machine runs is imported; others are kept as they are.
check_branch() {
	read_line "$var/branch"
	running=$line
	bound=$(list_bindings "$1")
	if [ "$bound" = "" ] && [ "$running" != "$1" ]; then
		[ "$running" = "" ] && [ "$3" != "$null_id" ] && [ "$(find_sysconf "$3")" != "" ] || return 0
	fi
	[ "$3" != "$null_id" ] || fail "The branch $1 is what this machine runs; it cannot be deleted."
	[ "$chosen" = "" ] || fail "Push one branch at a time: ${chosen%% *} and $1 both have live state."
	chosen="$1 $2 $3"
}

read_push_options() {
	number=0
	while [ "$number" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
		option=$(eval "printf '%s' \"\$GIT_PUSH_OPTION_$number\"")
		case $option in
		allow-drop=*) GITTED_ALLOW_DROP="${GITTED_ALLOW_DROP:-} ${option#allow-drop=}" ;;
		*) fail "There is no push option \"$option\", expected allow-drop=NAME." ;;
		esac
		number=$((number + 1))
	done
	export GITTED_ALLOW_DROP="${GITTED_ALLOW_DROP:-}"
}

command_export() {
	take_lock wait "gitted export"
	ensure_repository
	recover
	export_all pull
	drop_lock
}

command_recover() {
	take_lock wait "gitted recover"
	ensure_repository
	recover
	drop_lock
}

# Goes back to the state before the last import, as a new commit; once more goes forward again.
command_undo() {
	take_lock soon "gitted undo"
	ensure_repository
	recover
	export_all pull
	branch=$(cat "$var/branch" 2>/dev/null) || fail "Nothing was pushed to this machine yet."
	head=$(git rev-parse "refs/heads/$branch")
	before=$(git for-each-ref --format='%(objectname)' --sort=refname refs/gitted/before | tail -n 1)
	[ "$before" != "" ] || fail "There is no earlier state to go back to."
	tree=$(undo_tree "$head" "$before") || fail "The earlier state cannot be put together; nothing was changed."
	[ "$tree" != "$(git rev-parse "$head^{tree}")" ] || fail "The state is already the one before the last import."
	commit=$(git commit-tree -p "$head" -m "undo: back to the state before the last push" "$tree")
	import_branch "$branch" "$head" "$commit" || exit 1
	git update-ref -m undo "refs/heads/$branch" "$commit" "$head"
	journal_end
	drop_lock
	finish "undone; git pull ${GITTED_REMOTE:-REMOTE} $branch brings it to you"
}

# undo_tree HEAD BEFORE: the earlier tree; where that is only what was here before the first push, its paths.
undo_tree() {
	if [ "$(git merge-base "$1" "$2" || :)" != "" ]; then
		git rev-parse "$2^{tree}"
		return
	fi
	tree=$(git rev-parse "$1^{tree}")
	for name in $(list_bindings "$branch"); do
		path=$(load_binding "$branch" "$name" && printf '%s' "$GITTED_DATA_PATH")
		earlier=$(tree_at "$2" "$path")
		[ "$earlier" = "" ] || tree=$(graft "$tree" "$path" "$earlier") || return 1
	done
	printf '%s\n' "$tree"
}

# One fact a line, `key<tab>value`.
command_status() {
	[ -f "$GIT_DIR/gitted-ready" ] || { printf 'state\tempty\n' && return 0; }
	running=$(cat "$var/branch" 2>/dev/null || :)
	printf 'branch\t%s\n' "$running"
	[ "$running" = "" ] || printf 'head\t%s\n' "$(git log -1 --format='%h %cI %s' "refs/heads/$running" --)"
	list_bindings "$running" | while read -r name; do
		(
			load_binding "$running" "$name"
			if [ "$(handler token 2>/dev/null || :)" = "$(cat "$binding_dir/token" 2>/dev/null)" ]; then state=unchanged; else state=maybe-changed; fi
			printf 'binding\t%s %s %s %s\n' "$name" "$GITTED_ENGINE" "$GITTED_DATA_PATH" "$state"
		) || :
	done
	[ ! -f "$journal" ] || printf 'unfinished\t%s\n' "$(head -n 1 "$journal")"
	exec 8>>"$var/lock"
	try_lock >/dev/null || printf 'lock\t%s\n' "$(lock_holder)"
}
