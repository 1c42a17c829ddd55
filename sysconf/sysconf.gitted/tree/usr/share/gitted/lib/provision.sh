# shellcheck shell=sh
# The machine itself: /sysconf says what is installed and how; a push that changes it provisions again.

sysconf_dir=$GITTED_ROOT/sysconf
sysconf_state=refs/gitted/sysconf

# Where a commit keeps its profiles; older layouts too.
find_sysconf() {
	for candidate in sysconf gitted/sysconf glxc/sysconf gitted glxc; do
		[ "$(tree_at "$1" "$candidate/actual")" = "" ] || { printf '%s' "$candidate" && return 0; }
	done
}

# provision BRANCH COMMIT: puts the commit's profiles into place and runs what changed in them.
provision() {
	rm -f "$var/provision.wanted"
	sysconf_path=$(find_sysconf "$2")
	[ "$sysconf_path" != "" ] || return 0
	wanted=$(tree_at "$2" "$sysconf_path")
	[ "$wanted" != "$(git rev-parse -q --verify $sysconf_state || :)" ] || return 0
	phase "Setting up the machine"
	rm -rf "$sysconf_dir.new" "$var/sysconf.index"
	mkdir -p "$sysconf_dir.new"
	GIT_INDEX_FILE=$var/sysconf.index git read-tree "$wanted" || return 1
	GIT_INDEX_FILE=$var/sysconf.index git --work-tree="$sysconf_dir.new" checkout-index -a -f --prefix="$sysconf_dir.new/" || return 1
	rm -f "$var/sysconf.index"
	write_line "$var/sysconf.path" "$sysconf_path" || return 1
	swap_sysconf "$sysconf_dir.new" || return 1
	write_line "$var/provision.wanted" "$wanted" || return 1
	run_sysconf
}

# The profiles before this push stay beside the new ones until the push is through.
swap_sysconf() {
	if [ -d "$sysconf_dir" ]; then
		rm -rf "$sysconf_dir.old"
		mv "$sysconf_dir" "$sysconf_dir.old" || return 1
	fi
	mv "$1" "$sysconf_dir"
}

run_sysconf() {
	tool=$sysconf_dir/sysconf.base/tree/usr/bin/sysconf
	[ -x "$tool" ] || tool=$GITTED_ROOT/usr/bin/sysconf
	(
		unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_WORK_TREE
		exec "$tool" update </dev/null >&2 8>&-
	)
}

# The push is through: what it brought is what the machine has.
settle_provision() {
	[ -f "$var/provision.wanted" ] || return 0
	git_outside update-ref $sysconf_state "$(cat "$var/provision.wanted")"
	settle_sysconf
	rm -rf "$sysconf_dir.old" "$var/provision.wanted"
}

# The push was refused: the old profiles come back. What they had installed is still there,
# and what the refused push installed does no harm.
take_back_provision() {
	rm -rf "$sysconf_dir.new"
	[ -f "$var/provision.wanted" ] || return 0
	rm -f "$var/provision.wanted"
	[ -d "$sysconf_dir.old" ] || return 0
	rm -rf "$sysconf_dir"
	mv "$sysconf_dir.old" "$sysconf_dir"
	run_sysconf || complain "The profiles from before this push could not be set up again: run sysconf update inside."
}

# export_sysconf BRANCH: changes made to /sysconf inside come out like any other state.
export_sysconf() {
	look_up_ref $sysconf_state
	old=$looked_up
	[ "$old" != "" ] && [ -d "$sysconf_dir" ] && [ -f "$var/sysconf.path" ] || return 0
	read_line "$var/branch"
	[ "$1" = "$line" ] || return 0
	sysconf_token >"$var/sysconf.token.next"
	! cmp -s "$var/sysconf.token.next" "$var/sysconf.token" || return 0
	GITTED_ALLOW_LINKS=1 check_directory "$sysconf_dir" sysconf || return 0
	rm -f "$var/sysconf.index"
	tree=$(cd "$sysconf_dir" && export GIT_INDEX_FILE="$var/sysconf.index" && git read-tree "$old" && git --work-tree="$sysconf_dir" add -A -f . && git write-tree) || fail "/sysconf could not be exported; the branch is as it was."
	if git diff-tree -r --no-renames "$old" "$tree" | grep -q '^:[0-7]* 120000 '; then
		complain "/sysconf has new symbolic links; it is left out of this export. Put links into setup.rc."
		return 0
	fi
	printf '%s\t%s\t%s\t%s\n' sysconf/ "$(cat "$var/sysconf.path")" "$tree" "$(describe_changes "$old" "$tree")" >>"$var/exported"
}

settle_sysconf() { sysconf_token | write_file "$var/sysconf.token"; }

sysconf_token() {
	[ -d "$sysconf_dir" ] || return 0
	find "$sysconf_dir" -printf '%p %y %m %s %T@ %l\n' 2>/dev/null | sort
}
