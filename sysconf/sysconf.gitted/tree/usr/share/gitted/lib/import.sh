# shellcheck shell=sh
# Import: the pushed tree becomes the live state, all of it or nothing.
#   plan -> stage -> verify -> re-check -> commit

# import_branch BRANCH OLD NEW: returns 1 when nothing was changed.
import_branch() {
	now
	import_started=$moment
	run_hooks pre-import
	journal_begin "$1" "$2" "$3" || fail "The journal $journal cannot be written; nothing was changed."
	rm -f "$var/plan"
	if ! { prepare "$1" "$3" && keep_for_later "$2" "$3" && decide; }; then
		roll_back "$1"
		journal_end
		return 1
	fi
	commit_all "$1" || return 1
	create_missing "$1"
	run_hooks post-import
	[ -s "$var/plan" ] || return 0
	seconds_since "$import_started"
	say "imported in $seconds"
}

# What a crash after the commit point needs. (A full disk is found here at the latest.)
keep_for_later() {
	keep_before "$1" && keep_objects "$2" && return 0
	complain "The repository $GIT_DIR cannot be written; nothing was changed."
	return 1
}

# The commit point: from here on the way is forward.
decide() {
	if [ -n "${GITTED_WATCHED:-}" ] && ! mkdir "$decision" 2>/dev/null; then
		if [ -d "$decision" ]; then complain "The other side is gone; gave up before anything changed."; else complain "$decision cannot be made; nothing was changed."; fi
		return 1
	fi
	journal_note commit
}

# Everything that can fail without a trace in the live state.
prepare() {
	provision "$1" "$2" || return 1
	plan "$1" "$2" || return 1
	[ -s "$var/plan" ] || return 0
	phase "Importing"
	each_planned "$1" stage_binding || return 1
	each_planned "$1" verify_binding || return 1
	each_planned "$1" recheck_binding || return 1
}

# plan BRANCH NEW: one line `NAME PATH WANTED STATE` for each binding whose live state is not the wanted one.
plan() {
	: >"$var/plan" || return 1
	list_bindings "$1" >"$var/names.bound" || return 1
	while read -r name; do
		(
			load_binding "$1" "$name"
			wanted=$(tree_at "$2" "$GITTED_DATA_PATH")
			state=$(git rev-parse -q --verify "$state_ref" || :)
			if [ "$wanted" = "" ] && [ "$state" != "" ] && [ "$state" != "$empty_tree" ] && [ "$state" != "$(cat "$binding_dir/empty" 2>/dev/null)" ]; then
				case " ${GITTED_ALLOW_DROP:-} " in
				*" all "* | *" $name "*) wanted=$empty_tree ;;
				*) fail "This push has no $GITTED_DATA_PATH any more: all of $name would be dropped. If you mean it: git push -o allow-drop=$name" ;;
				esac
			fi
			[ "$wanted" = "" ] || [ "$wanted" = "$state" ] || printf '%s\t%s\t%s\t%s\n' "$name" "$GITTED_DATA_PATH" "$wanted" "${state:-$empty_tree}" >>"$var/plan"
		) || return 1
	done <"$var/names.bound"
}

# each_planned BRANCH FUNCTION: calls it for each planned binding with `wanted` and `state`.
each_planned() {
	while IFS='	' read -r name path wanted state; do
		(
			load_binding "$1" "$name"
			new=$binding_dir/new
			"$2" || exit 1
		) || return 1
	done <"$var/plan"
}

# The token of the state that was exported when this push began.
load_token() {
	read_line "$binding_dir/token"
	GITTED_TOKEN=$line
	export GITTED_TOKEN
}

stage_binding() {
	check_tree "$wanted" "$GITTED_DATA_PATH" || return 1
	journal_note "binding $binding_name" || return 1
	note_phase "staging $binding_name"
	say "$GITTED_DATA_PATH: $(describe_changes "$state" "$wanted") to import"
	GITTED_OLD_DIR=$live
	export GITTED_OLD_DIR
	load_token
	code=3
	if [ "$binding_kind" = full ] && list_changes; then
		check_out "$wanted" "$new" "$binding_dir/changed.out" || return 1
		code=0
		GITTED_CHANGED=$binding_dir/changed handler stage "$new" >&2 || code=$?
	fi
	if [ $code -eq 3 ]; then
		check_out "$wanted" "$new" || return 1
		code=0
		handler stage "$new" >&2 || code=$?
	fi
	[ $code -eq 0 ] || complain "$GITTED_DATA_PATH was not imported; the live state and the branch are as they were."
	return $code
}

# Writes the changed paths for the handler, and those that it needs for checking out.
# Fails where a path does not fit on a line, or nothing is live yet: then the whole tree is staged.
list_changes() {
	[ "$state" != "$empty_tree" ] || return 1
	git diff-tree -r --no-renames --name-status "$state" "$wanted" >"$binding_dir/changed" || return 1
	perl "$GITTED_LIB/changed.pl" "$binding_dir/changed" "$binding_dir/changed.out" || return 1
	git ls-tree -r -z --name-only "$wanted" manifest.tsv sequences.tsv counters.tsv schema/ >>"$binding_dir/changed.out"
}

verify_binding() {
	note_phase "verifying $binding_name"
	code=0
	handler verify "$new" >&2 || code=$?
	[ $code -eq 0 ] || [ $code -eq 2 ] && return 0
	complain "$GITTED_DATA_PATH was not imported: the check of what was loaded failed; nothing was changed."
	return 1
}

changed_meanwhile() {
	complain "The container changed while you pushed ($GITTED_DATA_PATH): git pull ${GITTED_REMOTE:-REMOTE} ${branch:-}"
	return 1
}

# Whether the live state is still the one that was exported when this push began.
recheck_binding() {
	note_phase "re-checking $binding_name"
	load_token
	if [ "$binding_kind" = simple ]; then
		recheck_simple
		return
	fi
	code=0
	handler recheck "$new" >&2 || code=$?
	case $code in
	0) return 0 ;;
	2) [ "$GITTED_TOKEN" = "" ] || [ "$(handler token)" = "$GITTED_TOKEN" ] || changed_meanwhile ;;
	4) changed_meanwhile ;;
	*) return 1 ;;
	esac
}

# Without a token, only exporting again tells.
recheck_simple() {
	# Nothing was live when this push began.
	[ "$state" != "$empty_tree" ] || return 0
	rm -rf "$binding_dir/again"
	mkdir "$binding_dir/again"
	handler export "$binding_dir/again" || return 1
	diff -r "$live" "$binding_dir/again" >/dev/null || changed_meanwhile
}

commit_binding() {
	note_phase "committing $binding_name"
	rm -f "$GITTED_STATE/token.new"
	load_token
	code=0
	handler commit "$binding_dir/new" >&2 || code=$?
	[ $code -ne 4 ] || changed_meanwhile
	return $code
}

# settle_binding TREE: this tree is live now; notes so, and the token if the handler is certain of it.
settle_binding() {
	set_live "$1" || return 1
	git_outside update-ref "$state_ref" "$1"
	if [ -f "$GITTED_STATE/token.new" ]; then mv -f "$GITTED_STATE/token.new" "$binding_dir/token"; else rm -f "$binding_dir/token"; fi
	rm -rf "$binding_dir/new" "$binding_dir/again" "$binding_dir/changed" "$binding_dir/changed.out"
}

# commit_all BRANCH: one binding after the other. One that fails takes those before it back.
commit_all() {
	[ -s "$var/plan" ] || { settle_provision && return 0; }
	while IFS='	' read -r name path wanted state; do
		if (
			load_binding "$1" "$name"
			commit_binding
		); then
			journal_note "committed $name"
			(
				load_binding "$1" "$name"
				settle_binding "$wanted"
			) || return 1
		else
			complain "$name could not be made live."
			take_back "$1"
			journal_end
			return 1
		fi
	done <"$var/plan"
	settle_provision
}

# take_back BRANCH: imports the old state of what this push has committed so far.
take_back() {
	journal_names committed >"$var/names.committed"
	sed '/^commit/d' "$journal" | write_file "$journal"
	while IFS='	' read -r name path wanted state; do
		grep -qxF "$name" "$var/names.committed" || continue
		(
			load_binding "$1" "$name"
			new=$binding_dir/new
			rm -f "$binding_dir/token"
			check_out "$state" "$new" && GITTED_OLD_DIR=$live handler stage "$new" >&2 && verify_binding && commit_binding && settle_binding "$state"
		) || complain "$name has the new state although the push was refused; the next pull shows it."
	done <"$var/plan"
	roll_back "$1"
}

# create_missing BRANCH: live state that is not there, and for which the branch has nothing, is made empty, so that an
# application finds its database after the very first push. `empty` is the tree that stands for it: a branch without it
# has lost nothing, and the first pull brings what was put into it.
create_missing() {
	list_bindings "$1" >"$var/names.bound"
	while read -r name; do
		(
			load_binding "$1" "$name"
			[ "$binding_kind" = full ] && ! git rev-parse -q --verify "$state_ref" >/dev/null || exit 0
			[ "$(handler token)" = absent ] || exit 0
			# The objects are not the push's.
			unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
			code=0
			handler create >"$var/create.said" 2>&1 || code=$?
			[ $code -ne 2 ] || exit 0
			[ $code -eq 0 ] && fill_live && tree=$(hash_live) || fail "$(cat "$var/create.said")"
			write_line "$binding_dir/empty" "$tree"
			git update-ref "$state_ref" "$tree"
			[ ! -f "$binding_dir/token.next" ] || mv -f "$binding_dir/token.next" "$binding_dir/token"
			say "$GITTED_DATA_PATH: made, empty"
		) || complain "$name could not be made; the push is through, the next one tries again."
	done <"$var/names.bound"
}

# keep_before OLD: the state before this import, for undo. The last twenty are kept.
keep_before() {
	[ "$1" != "$null_id" ] && [ -s "$var/plan" ] || return 0
	next_before
	{
		printf 'create refs/gitted/before/%s %s\n' "$next" "$1"
		surplus=$((next_count - 19))
		while [ $surplus -gt 0 ] && read -r kept; do
			printf 'delete %s\n' "$kept"
			surplus=$((surplus - 1))
		done <"$var/before"
	} >"$var/before.updates"
	git_outside update-ref --stdin <"$var/before.updates"
}

# keep_objects NEW: brings the pushed objects in for good, so that a crash after the commit
# point can still move the branch to them.
keep_objects() {
	if [ -n "${GIT_QUARANTINE_PATH:-}" ]; then
		perl "$GITTED_LIB/keep-objects.pl" "$GIT_QUARANTINE_PATH" "$GIT_DIR/objects" || return 1
	fi
	git_outside update-ref refs/gitted/pending "$1"
}
