#!/bin/sh
# Starts @NAME@ with the Node in PATH; GITSYNC_NODE names another one.
node=${GITSYNC_NODE:-}
[ -n "$node" ] || node=$(command -v node || command -v nodejs) || {
    echo "Error: @NAME@ needs Node.js @NODE@ or newer, and there is no node in PATH." >&2
    echo "Hint: install one (package nodejs, or https://nodejs.org), or name it: GITSYNC_NODE=/path/to/node @NAME@" >&2
    exit 1
}
exec "$node" --require @LIB@/node-version.cjs @LIB@/dist/@NAME@.js "$@"
