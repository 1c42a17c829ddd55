/** A shell script that tells, from inside a machine, that something changed below some directories. Nothing needs to be installed there. */
import { shellQuote } from '../core/shell-quote.ts';

/** Every line that counts begins with this word. */
export const hintWord = 'gitsync-hint';

/**
 * It prints `gitsync-hint ready` at the beginning, `gitsync-hint touched` after
 * a change, and `gitsync-hint alive` at least once a minute. With inotifywait it
 * costs nothing while nothing happens; else what `find` says of every file is
 * compared, with pauses of two seconds or twenty times what a look took. It
 * ends with its input, so that it never outlives the connection.
 * @param root '' for a whole machine, else the directory that is one
 */
export function hintScript(root: string, paths: readonly string[]): string {
  return `{
exec 2>/dev/null
set -- ${paths.map((path) => shellQuote(`${root}${path}`)).join(' ')}
tell() { printf '${hintWord} %s\\n' "$1" || exit; }
exec 3<&0
(cat <&3 >/dev/null; kill $$) &
trap "kill $!" EXIT
tell ready
if command -v inotifywait >/dev/null; then
  while :; do
    inotifywait -r -q -t 30 -e modify,attrib,create,delete,move "$@" >/dev/null
    case $? in 0) tell touched; sleep 0.2 ;; 2) tell alive ;; *) break ;; esac
  done
fi
look() { find "$@" -printf '%p %y %m %U %G %s %T@ %C@ %i\\n' | cksum; }
o=$(look "$@") n=0
while :; do
  s=$(date +%s)
  v=$(look "$@")
  p=$((($(date +%s) - s) * 20))
  n=$((n + 1))
  if [ "$v" != "$o" ]; then o=$v n=0; tell touched; elif [ $n -ge 15 ] || [ $p -gt 2 ]; then n=0; tell alive; fi
  if [ $p -gt 2 ]; then sleep $p; else sleep 2; fi
done
}
`;
}
