# shellcheck shell=sh
# Runs one profile's setup.rc: common functions, every profile's environment.rc in order, then the script.
set -e

# shellcheck source=common.sh
. "$SYSCONF_SHARE/common.sh"
for sysconf_each in $SYSCONF_ORDER; do
	if [ -f "$SYSCONF_PATH/$sysconf_each/environment.rc" ]; then
		cd "$SYSCONF_PATH/$sysconf_each"
		# shellcheck disable=SC1091
		. ./environment.rc
	fi
done
cd "$SYSCONF_PATH/$SYSCONF_PROFILE"
# shellcheck disable=SC1090
. "./$SYSCONF_SCRIPT"
