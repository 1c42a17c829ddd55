#!/bin/sh
# Puts the unpacked tarball's files where a system has them, below DESTDIR. Both packages are made by this:
#   DESTDIR=/tmp/root sh packaging/install.sh
set -eu
cd "$(dirname "$0")/.."
root=${DESTDIR:?names the directory to install into}
lib=/usr/lib/gitsync
docs=/usr/share/doc/gitsync
# Debian's zsh looks elsewhere.
zsh=${ZSH_COMPLETIONS:-/usr/share/zsh/site-functions}
umask 022

put() { # MODE FILE TARGET
    install -D -p -m "$1" "$2" "$root$3"
}

mkdir -p "$root$lib"
cp -R --preserve=timestamps dist "$root$lib/"
put 644 package.json "$lib/package.json"
put 644 packaging/node-version.cjs "$lib/node-version.cjs"
if [ -d node_modules ]; then cp -R --preserve=timestamps node_modules "$root$lib/"; fi

needed=$(sed -n 's/^ *"node": ">=\([0-9.]*\)".*/\1/p' package.json)
mkdir -p "$root/usr/bin"
while read -r name; do
    sed "s|@NAME@|$name|g; s|@LIB@|$lib|g; s|@NODE@|$needed|g" packaging/launcher.sh >"$root/usr/bin/$name"
    chmod 755 "$root/usr/bin/$name"
done <packaging/programs

for file in systemd/*; do put 644 "$file" "/usr/lib/systemd/user/$(basename "$file")"; done
for file in man/man*/*; do
    put 644 "$file" "/usr/share/$file"
    gzip -9n "$root/usr/share/$file"
done
put 644 completions/gitsync.bash /usr/share/bash-completion/completions/gitsync
put 644 completions/gitsync.zsh "$zsh/_gitsync"
put 644 completions/gitsync.fish /usr/share/fish/vendor_completions.d/gitsync.fish

put 644 config.example.ini "$docs/config.example.ini"
for file in README.md CHANGELOG.md $(find docs -name '*.md'); do put 644 "$file" "$docs/$file"; done
put 644 LICENSE "${LICENSE_FILE:-$docs/copyright}"
