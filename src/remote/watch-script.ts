/** The shell script that waits, on a server, for a branch to move. Nothing needs to be installed there. */

/** A word that a POSIX shell takes literally, whatever it holds. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A path as git understands it on a server, as a word of the script: only a
 * tilde at its beginning means something.
 */
export function pathWord(path: string): string {
  const [, user = '', rest = ''] = /^~([^/]*)\/?(.*)$/s.exec(path) ?? [];
  if (path.startsWith('~') && user === '') return `"$HOME"/${quote(rest)}`;
  if (path.startsWith('~') && /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(user)) return `~${user}/${quote(rest)}`;
  return quote(path.startsWith('/') ? path : `./${path}`);
}

/** Every line that counts begins with this word; a login script may print others. */
export const watchWord = 'gitsync-watch';

/** The remote command that reads the script; its last word shows in the server's process list. Double quotes, without `$`, suit every login shell. */
export const watchCommand = `sh -c "command -v bash >/dev/null 2>&1 && exec bash --norc -s ${watchWord}; exec sh -s ${watchWord}"`;

/**
 * The script. It prints `gitsync-watch VALUE` at the beginning, whenever VALUE
 * changes, and every 15 s; VALUE is the branch's object id, `-` where it has no
 * loose ref (absent or packed: a push always makes it loose), a table's name
 * with reftable, or `none` where there is no repository.
 *
 * It must end with the connection, even when our machine is cut off: a line
 * that cannot be written ends it, and so does the end of its input. bash (4 and
 * newer) waits for that input and looks at the ref, four times a second,
 * without starting any program. Other shells cannot wait with a limit: there
 * `sleep` is started once a second, and `cat` waits for the end of the input.
 */
export function watchScript(path: string, branch: string): string {
  return `{
exec 2>/dev/null
d=${pathWord(path)} r=${quote(`refs/heads/${branch}`)} g=''
for c in "$d/.git" "$d" "$d.git/.git" "$d.git"; do
  if [ -f "$c" ]; then
    l=''; IFS= read -r l < "$c"; k=\${l#gitdir: }
    [ "$k" = "$l" ] && continue
    case $k in /*) c=$k ;; *) c=\${c%/*}/$k ;; esac
  fi
  [ -f "$c/HEAD" ] && g=$c && break
done
[ -n "$g" ] || { echo '${watchWord} none'; exit 3; }
if [ -f "$g/commondir" ]; then
  IFS= read -r k < "$g/commondir"
  case $k in /*) g=$k ;; *) g=$g/$k ;; esac
fi
v=- o='' n=0
look() {
  v=-
  if [ -f "$g/reftable/tables.list" ]; then
    while IFS= read -r k; do v=$k; done < "$g/reftable/tables.list"
  elif [ -f "$g/$r" ]; then
    IFS= read -r v < "$g/$r"
  fi
  case $v in '' | *[!A-Za-z0-9._-]*) v=- ;; esac
}
tell() {
  n=$((n + 1))
  if [ "$v" != "$o" ] || [ "$n" -ge "$1" ]; then
    o=$v n=0
    printf '${watchWord} %s\\n' "$v" || exit
  fi
}
if [ "\${BASH_VERSINFO:-0}" -ge 4 ]; then
  while look; tell 60; do
    read -r -t 0.25 k
    [ $? -eq 1 ] && exit
  done
fi
exec 3<&0
(cat <&3 >/dev/null; kill $$) &
trap "kill $!" EXIT
while look; tell 15; do sleep 1; done
}
`;
}
