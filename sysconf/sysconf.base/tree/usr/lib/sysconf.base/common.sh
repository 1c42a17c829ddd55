# shellcheck shell=sh
# Where the original kept its functions; profiles written for it still find them.
. "${SYSCONF_SHARE:-/usr/share/sysconf}/common.sh"
