# shellcheck shell=sh
# Functions for every setup.rc.

DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

nef_log() { printf '%s\n' "$*"; }
nef_fatal() {
	printf '%s\n' "Error: $*"
	exit 1
}

sysconf_apt() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=60 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# The base image has lists of packages too, and this file says how old they are.
sysconf_lists_stamp=/var/lib/sysconf/apt-updated

sysconf_update_lists() {
	sysconf_apt update && mkdir -p /var/lib/sysconf && : >"$sysconf_lists_stamp"
}

# sysconf_require_packages [-t RELEASE] PACKAGE...: installs what is missing.
sysconf_require_packages() {
	sysconf_release=''
	if [ "$1" = -t ]; then
		sysconf_release=$2
		shift 2
	fi
	sysconf_missing=''
	for sysconf_package; do
		dpkg-query -W -f '${Status}' "$sysconf_package" 2>/dev/null | grep -q 'ok installed' || sysconf_missing="$sysconf_missing $sysconf_package"
	done
	[ "$sysconf_missing" != "" ] || return 0
	# A run that was cut off leaves packages half configured.
	dpkg --configure -a
	# Lists that are older name files that the mirror has no more; younger ones spare a download.
	[ "$(find "$sysconf_lists_stamp" -mtime -1 2>/dev/null)" != "" ] || sysconf_update_lists
	sysconf_attempt=1
	# shellcheck disable=SC2086
	until sysconf_apt install --no-install-recommends ${sysconf_release:+-t "$sysconf_release"} $sysconf_missing; do
		[ $sysconf_attempt -lt 3 ] || nef_fatal "these packages could not be installed:$sysconf_missing"
		sysconf_attempt=$((sysconf_attempt + 1))
		sleep 2
		dpkg --configure -a || :
		sysconf_update_lists || :
	done
}

# sysconf_fix_directory DIR [MODE] [OWNER]
sysconf_fix_directory() {
	[ -d "$1" ] || mkdir -p "$1"
	[ "${2:-}" = "" ] || chmod "$2" "$1"
	[ "${3:-}" = "" ] || chown "$3" "$1"
}

# sysconf_fix_user NAME [USERADD-OPTIONS]
sysconf_fix_user() {
	sysconf_user=$1
	shift
	id "$sysconf_user" >/dev/null 2>&1 || useradd "$@" "$sysconf_user"
}

sysconf_fix_group() {
	sysconf_group=$1
	shift
	getent group "$sysconf_group" >/dev/null || groupadd "$@" "$sysconf_group"
}
