# shellcheck shell=sh
# Trees: what may be in them, and how directories become trees and trees directories.

# The id of the tree at COMMIT:PATH, or nothing.
tree_at() {
	found=$(printf '%s\n' "$1:$2" | git cat-file --batch-check='%(objecttype) %(objectname)')
	case $found in 'tree '*) printf '%s\n' "${found#tree }" ;; esac
}

# refuse_bad_names WHERE: reads `mode<tab>path<NUL>` and fails on what must never cross.
# Links are named by mode 120000, nested repositories by 160000.
refuse_bad_names() { perl "$GITTED_LIB/check-names.pl" "$1"; }

# check_tree TREE WHERE
check_tree() {
	git ls-tree -r -t -z --format='%(objectmode)%x09%(path)' "$1" 2>/dev/null >"$var/names" ||
		git ls-tree -r -t -z "$1" | perl -0pe 's/^(\d+) \w+ \w+\t/$1\t/' >"$var/names" || return 1
	refuse_bad_names "$2" <"$var/names"
}

# check_directory DIR WHERE: the same for a directory that a handler filled.
check_directory() {
	perl "$GITTED_LIB/list-names.pl" "$1" >"$var/names" || return 1
	refuse_bad_names "$2" <"$var/names"
}

# with_live GIT-ARGUMENTS: git with the binding's index and its directory of the live state.
with_live() { GIT_INDEX_FILE=$binding_dir/live.index git --work-tree="$live" -c core.fsyncMethod=batch -c core.autocrlf=false "$@"; }

# Prints the tree of the binding's live directory; fails rather than printing one that is not whole. The index spares
# reading what was not touched.
hash_live() {
	(cd "$live" && with_live add -A -f . && with_live write-tree)
}

# Makes the binding's live directory what a tree says (after its import).
set_live() {
	# Of a git that was killed in this very push.
	rm -f "$binding_dir/live.index.lock"
	with_live read-tree --reset -u "$1"
}

# check_out TREE DIR [LIST]: fills DIR with a tree, or with the NUL-separated paths in LIST.
# Each step is asked: on a full disk, git writes empty files and goes on to the next.
check_out() {
	rm -rf "$2" "$binding_dir/out.index"
	mkdir -p "$2" || return 1
	GIT_INDEX_FILE=$binding_dir/out.index git read-tree "$1" || return 1
	if [ $# -eq 3 ]; then
		GIT_INDEX_FILE=$binding_dir/out.index git --work-tree="$2" checkout-index -f -z --stdin --prefix="$2/" <"$3" || return 1
	else
		GIT_INDEX_FILE=$binding_dir/out.index git --work-tree="$2" checkout-index -a -f --prefix="$2/" || return 1
	fi
	rm -f "$binding_dir/out.index"
}

# git insists on a work tree here, although it looks at none.
with_graft() { GIT_INDEX_FILE=$var/graft.index git --literal-pathspecs --work-tree="$var" "$@"; }

# graft TREE PATH NEW: prints TREE with the tree NEW at PATH (NEW the empty tree: without PATH), or fails.
graft() {
	rm -f "$var/graft.index"
	with_graft read-tree "$1" || return 1
	(cd "$var" && with_graft rm -r -q -f --cached --ignore-unmatch -- "$2") >/dev/null || return 1
	[ "$3" = "$empty_tree" ] || (cd "$var" && with_graft read-tree --prefix="$2/" "$3") || return 1
	with_graft write-tree || return 1
	rm -f "$var/graft.index"
}

# What differs between two trees, for people: `3 tables`, `1 file`.
describe_changes() {
	git diff-tree -r --name-only --no-renames "$1" "$2" >"$var/changes"
	awk -F / '
		$1 != "data" || NF < 2 { other = 1 }
		!($2 in tables) { tables[$2]; n++ }
		END { n = other ? NR : n + 0; what = other ? "file" : "table"; printf "%d %s%s", n, what, n == 1 ? "" : "s" }
	' "$var/changes"
}
