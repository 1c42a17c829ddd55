# shellcheck shell=sh
# Export: what changed in the live state becomes a commit on the branch.

# export_binding BRANCH NAME: in a subshell. Appends `NAME PATH TREE` (tab-separated) to the list when
# the live state may have changed; a token that did not move costs nothing more than asking for it.
export_binding() {
	load_binding "$1" "$2"
	look_up_ref "$state_ref"
	old=$looked_up
	token=$(handler token) || token=
	if [ "$token" = absent ]; then
		[ "$old" = "" ] || git update-ref -d "$state_ref"
		rm -f "$binding_dir/token"
		exit 0
	fi
	read_line "$binding_dir/token"
	if [ "$token" != "" ] && [ "$old" != "" ] && [ "$token" = "$line" ]; then
		exit 0
	fi
	now
	started=$moment
	fill_live || fail "$binding_name could not be exported; the branch and the live state are as they were."
	check_directory "$live" "$GITTED_DATA_PATH" || fail "$binding_name was not exported: names like these do not leave the container."
	tree=$(hash_live) || fail "$binding_name was exported, but git could not take it in; the branch is as it was."
	what=unchanged
	if [ "$tree" != "$old" ]; then
		what=$(describe_changes "${old:-$empty_tree}" "$tree")
		seconds_since "$started"
		say "$GITTED_DATA_PATH: $what changed ($seconds)"
	fi
	printf '%s\t%s\t%s\t%s\n' "$binding_name" "$GITTED_DATA_PATH" "$tree" "$what" >>"$var/exported"
}

# Fills the binding's live directory; keeps the token for when the commit is made.
fill_live() {
	rm -f "$GITTED_STATE/token.new" "$binding_dir/token.next"
	if [ "$binding_kind" = full ]; then
		GITTED_OLD_DIR=$live handler export "$live" >&2 || return 1
		[ ! -f "$GITTED_STATE/token.new" ] || mv -f "$GITTED_STATE/token.new" "$binding_dir/token.next"
	else
		rm -rf "$binding_dir/fresh"
		mkdir "$binding_dir/fresh"
		handler export "$binding_dir/fresh" || return 1
		rm -rf "$live"
		mv "$binding_dir/fresh" "$live"
	fi
}

# export_branch BRANCH pull|push: sets `exported_commit` to the branch's head afterwards ('' when it has none).
export_branch() {
	known_refs=$newline$(git for-each-ref --format='%(refname) %(objectname)' "refs/heads/$1" refs/gitted/state refs/gitted/sysconf)
	look_up_ref "refs/heads/$1"
	exported_commit=$looked_up
	: >"$var/exported"
	run_hooks pre-export
	list_bindings "$1" >"$var/names.bound"
	while read -r name; do
		(export_binding "$1" "$name") || exit 1
	done <"$var/names.bound"
	export_sysconf "$1"
	[ -s "$var/exported" ] || return 0
	tree=$empty_tree
	[ "$exported_commit" = "" ] || tree=$(git rev-parse -q --verify "$exported_commit^{tree}") || fail "$exported_commit, where $1 is, cannot be read."
	before=$tree
	while IFS='	' read -r name path exported what; do
		[ "$(git rev-parse -q --verify "$(state_ref_of "$1" "$name")" || :)" = "$exported" ] || tree=$(graft "$tree" "$path" "$exported") || fail "$path could not be put into the branch; it is as it was."
	done <"$var/exported"
	[ "$tree" = "$before" ] || commit_export "$1" "$2" "$tree" "$before"
	settle_export "$1"
	run_hooks post-export
}

# look_up_ref REF: sets `looked_up` to what it was when this export of a branch began, '' where there is no such ref.
look_up_ref() {
	looked_up=${known_refs#*"$newline$1 "}
	if [ "$looked_up" = "$known_refs" ]; then looked_up=''; else looked_up=${looked_up%%"$newline"*}; fi
}

state_ref_of() {
	if [ "$2" = sysconf/ ]; then printf 'refs/gitted/sysconf'; else printf 'refs/gitted/state/%s/%s' "$1" "$2"; fi
}

# Column N of what changed, joined by commas.
list_changed() { awk -F '\t' -v column="$1" '$4 != "unchanged" { printf "%s%s", (n++ ? ", " : ""), $column }' "$var/exported"; }

# commit_export BRANCH pull|push TREE BEFORE
commit_export() {
	paths=$(list_changed 2)
	what=$(list_changed 4)
	message="$paths: $what changed in $machine"
	if [ "$exported_commit" = "" ] && [ "$2" = push ]; then
		# The branch comes with this push; what was here before it is kept for undo.
		next_before
		git update-ref "refs/gitted/before/$next" "$(git commit-tree -m "$message, before the first push" "$3")"
		return 0
	fi
	# shellcheck disable=SC2086
	commit=$(git commit-tree ${exported_commit:+-p "$exported_commit"} -m "$message" "$3")
	git update-ref -m "export" "refs/heads/$1" "$commit" "${exported_commit:-$null_id}"
	exported_commit=$commit
	newer="$what"
}

# The refs of what is really live, and the tokens that belong to them, move after the commit.
settle_export() {
	while IFS='	' read -r name path exported what; do
		git update-ref "$(state_ref_of "$1" "$name")" "$exported"
		[ "$name" != sysconf/ ] || { settle_sysconf && continue; }
		encode_slashes "$1.$name"
		directory=$var/bindings/$encoded
		if [ -f "$directory/token.next" ]; then mv -f "$directory/token.next" "$directory/token"; else rm -f "$directory/token"; fi
	done <"$var/exported"
}

# Sets `next` to the name of the next state to keep for undo, and `next_count` to how many there are, which $var/before lists.
next_before() {
	git for-each-ref --format='%(refname)' refs/gitted/before >"$var/before"
	last=refs/gitted/before/0
	next_count=0
	while read -r kept; do
		last=$kept
		next_count=$((next_count + 1))
	done <"$var/before"
	last=${last##*/}
	# What begins with a zero would be octal.
	while [ "$last" != "${last#0?}" ]; do last=${last#0}; done
	next=$(printf '%08d' $((last + 1)))
}
