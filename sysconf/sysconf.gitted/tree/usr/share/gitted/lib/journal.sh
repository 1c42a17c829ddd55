# shellcheck shell=sh
# The journal of an import: one line a step, on disk before the step is taken.
#   import BRANCH OLD NEW
#   binding NAME       staged, or about to be
#   commit             everything is staged and verified: from here on the way is forward
#   committed NAME

journal_begin() {
	write_line "$journal" "import $1 $2 $3" || return 1
	sync "$journal" "$var" 2>/dev/null || sync
}

journal_note() {
	printf '%s\n' "$*" >>"$journal" || return 1
	sync "$journal" 2>/dev/null || sync
}

journal_end() {
	rm -f "$journal"
	git_outside update-ref -d refs/gitted/pending
}

# Inside a hook of receive-pack, new objects sit in quarantine and refs may not move.
# These refs point to objects that were brought in for good.
git_outside() (
	unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
	exec git "$@"
)

journal_names() { sed -n "s/^$1 //p" "$journal"; }

# Finishes or takes back an import that was cut off.
recover() {
	[ -f "$journal" ] || return 0
	# shellcheck disable=SC2046
	set -- $(head -n 1 "$journal")
	if [ "${1:-}" != import ] || [ $# -ne 4 ]; then
		rm -f "$journal"
		return 0
	fi
	if grep -qx commit "$journal"; then
		phase "Finishing an import that was cut off"
		roll_forward "$2" "$3" "$4" || fail "The import that was cut off could not be finished; nothing else is done before that."
	else
		phase "Taking back an import that was cut off"
		roll_back "$2"
	fi
	journal_end
}

# roll_forward BRANCH OLD NEW
roll_forward() {
	journal_names binding >"$var/names.forward"
	while read -r name; do
		if ! grep -qx "committed $name" "$journal"; then
			(
				load_binding "$1" "$name"
				commit_binding
			) || return 1
			journal_note "committed $name"
		fi
		(
			load_binding "$1" "$name"
			wanted=$(tree_at "$3" "$GITTED_DATA_PATH")
			settle_binding "${wanted:-$empty_tree}"
		) || return 1
	done <"$var/names.forward"
	settle_provision
	current=$(git rev-parse -q --verify "refs/heads/$1" || printf %s $null_id)
	[ "$current" = "$3" ] || [ "$current" != "$2" ] || git update-ref -m "import finished after a crash" "refs/heads/$1" "$3" "$2"
}

# roll_back BRANCH
roll_back() {
	journal_names binding >"$var/names.back"
	while read -r name; do
		(
			load_binding "$1" "$name"
			handler rollback >&2
		) || complain "$name: what was staged could not be cleared away; the next push tries again."
	done <"$var/names.back"
	take_back_provision
}
