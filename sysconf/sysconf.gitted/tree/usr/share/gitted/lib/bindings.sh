# shellcheck shell=sh
# Bindings: small files /etc/gitted/sync/BRANCH.NAME.conf that tie one kind of live
# state to one path of the repository; or the simple pair BRANCH.NAME.export/.import.

# Names of the bindings of a branch, one a line.
list_bindings() {
	encode_slashes "$1"
	branch_file=$encoded
	listed=$newline
	for directory in "$etc/sync" "$GITTED_ROOT/etc/glxc/sync"; do
		for file in "$directory/$branch_file".*.conf "$directory/$branch_file".*.export "$directory/$branch_file".*.import; do
			[ -f "$file" ] || continue
			name=${file##*/}
			name=${name#"$branch_file".}
			name=${name%.*}
			# Once, although the simple kind has two files.
			case $listed in *"$newline$name$newline"*) continue ;; esac
			listed=$listed$name$newline
			printf '%s\n' "$name"
		done
	done
}

# Branches that have bindings.
list_bound_branches() {
	for file in "$etc/sync"/*.*.conf "$etc/sync"/*.*.export "$GITTED_ROOT/etc/glxc/sync"/*.*.export; do
		[ -f "$file" ] || continue
		name=${file##*/}
		name=${name%%.*}
		case $name in
		*%2f*) printf '%s\n' "$name" | sed 's,%2f,/,g' ;;
		*) printf '%s\n' "$name" ;;
		esac
	done
}

# load_binding BRANCH NAME: sets binding_*, GITTED_ENGINE, GITTED_DATA_PATH and what the file sets.
# Call it in a subshell: every binding has variables of its own.
load_binding() {
	encode_slashes "$1.$2"
	binding=$encoded
	binding_name=$2
	binding_dir=$var/bindings/$binding
	state_ref=refs/gitted/state/$1/$2
	live=$binding_dir/live
	file=$etc/sync/$binding
	[ -f "$file.conf" ] || [ -f "$file.export" ] || [ -f "$file.import" ] || file=$GITTED_ROOT/etc/glxc/sync/$binding
	GITTED_ENGINE='' GITTED_DATA_PATH=''
	GITTED_STATE=$binding_dir/state
	if [ -f "$file.conf" ]; then load_conf "$file.conf"; else load_scripts "$file"; fi
	case /$GITTED_DATA_PATH/ in
	*/../* | */./* | *//* | */.git/*) fail "$file: GITTED_DATA_PATH is \"$GITTED_DATA_PATH\", expected a path inside the repository." ;;
	esac
	if [ ! -d "$GITTED_STATE" ] || [ ! -d "$live" ]; then
		mkdir -p "$GITTED_STATE" "$live"
		chmod 700 "$binding_dir" "$GITTED_STATE"
	fi
	export GITTED_ENGINE GITTED_DATA_PATH GITTED_STATE
}

load_conf() {
	set -a
	# shellcheck disable=SC1090
	. "$1"
	set +a
	case $GITTED_ENGINE in
	'') fail "$1: GITTED_ENGINE is missing, expected one of: $(list_engines)." ;;
	*[!a-z0-9_-]*) fail "$1: GITTED_ENGINE is \"$GITTED_ENGINE\", expected a name of lower-case letters." ;;
	esac
	if [ -x "$GITTED_SHARE/handlers/$GITTED_ENGINE" ]; then
		binding_kind=full
	elif [ -x "$GITTED_SHARE/export/$GITTED_ENGINE" ] || [ -x "$GITTED_SHARE/import/$GITTED_ENGINE" ]; then
		binding_kind=simple
		export_script=$GITTED_SHARE/export/$GITTED_ENGINE
		import_script=$GITTED_SHARE/import/$GITTED_ENGINE
	else
		fail "$1: there is no handler \"$GITTED_ENGINE\", expected one of: $(list_engines)."
	fi
	[ "$GITTED_DATA_PATH" = "" ] || return 0
	database=$(eval "printf '%s' \"\${GITTED_$(printf '%s' "$GITTED_ENGINE" | tr 'a-z-' 'A-Z_')_DATABASE:-}\"")
	GITTED_DATA_PATH=$binding_name
	[ "$database" = "" ] || GITTED_DATA_PATH=$GITTED_ENGINE/$database
}

# The original's bindings set their variables themselves; the path is read from their text.
load_scripts() {
	binding_kind=simple
	export_script=$1.export
	import_script=$1.import
	GITTED_ENGINE=script
	GITTED_DATA_PATH=$(sed -n 's/.*GITTED_[A-Z_]*DATA_PATH=["'\'']\{0,1\}\([A-Za-z0-9_.\/-]*\).*/\1/p' "$export_script" "$import_script" 2>/dev/null | head -n 1)
	[ "$GITTED_DATA_PATH" != "" ] || GITTED_DATA_PATH=$binding_name
}

list_engines() {
	for file in "$GITTED_SHARE"/handlers/* "$GITTED_SHARE"/export/*; do
		[ -x "$file" ] && printf '%s\n' "${file##*/}"
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# handler VERB [DIR]: the exit code is the answer; 2 means that there is no such verb.
handler() {
	if [ "$binding_kind" = full ]; then
		"$GITTED_SHARE/handlers/$GITTED_ENGINE" "$@" </dev/null
	else
		simple_handler "$@"
	fi
}

simple_handler() {
	case $1 in
	export) run_script "$export_script" "$2" ;;
	stage | verify) [ -x "$import_script" ] || { complain "$binding_name: there is nothing that imports it ($import_script)." && return 1; } ;;
	commit) run_script "$import_script" "$2" ;;
	rollback) ;;
	*) return 2 ;;
	esac
}

# run_script SCRIPT DIR: starts it in DIR; an absent export script means that there is nothing to say.
run_script() {
	[ -x "$1" ] || return 0
	(cd "$2" && GITTED_DIR=$2 exec "$1" "$2" </dev/null >&2)
}
