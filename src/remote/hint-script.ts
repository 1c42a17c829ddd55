/** A shell script that tells, from inside a machine, that something changed below some directories. Nothing needs to be installed there. */
import { shellQuote } from '../core/shell-quote.ts';

/** Every line that counts begins with this word. */
export const hintWord = 'gitsync-hint';

/** How the script finds out: the kernel tells it, it looks again and again, or it has no means. */
export type HintMeans = 'inotify' | 'look' | 'none';

const events = 'modify,attrib,create,delete,move,delete_self,move_self';

/**
 * It prints `gitsync-hint ready MEANS` at the beginning, `gitsync-hint touched`
 * after a change, and `gitsync-hint alive` twice a minute. With inotifywait it
 * costs nothing while nothing happens; else what `find` says of every file is
 * compared, with pauses of two seconds or twenty times what a look took.
 * The end of its input, or of whoever reads it, ends its whole process group,
 * so that nothing of it outlives the connection, however that ended.
 * @param root '' for a whole machine, else the directory that is one
 * @param pauseSeconds from one look to the next
 */
export function hintScript(root: string, paths: readonly string[], pauseSeconds = 2): string {
  return `{
exec 2>/dev/null
trap '' PIPE
set -- ${paths.map((path) => shellQuote(`${root}${path}`)).join(' ')}
tell() { printf '${hintWord} %s\\n' "$1" || kill 0; }
exec 3<&0
(cat <&3 >/dev/null; kill 0) &
(while sleep 30; do tell alive; done) &
exec 3<&- </dev/null
if find / -prune -printf x; then list() { find -H "$@" -printf '%p %y %m %U %G %s %T@ %C@ %i\\n'; }
elif ls -dnil --full-time /; then list() { find -H "$@" -exec ls -dnilc --full-time {} +; }
else list() { find -H "$@" -exec ls -dnilc {} +; }
fi >/dev/null
for c in cksum md5sum sum; do command -v $c && break; done >/dev/null
look() { list "$@" | $c; }
{ find / -prune >/dev/null && [ -n "$(echo | $c)" ]; } || { tell 'ready none'; while :; do sleep 3600; done; }
said=
news() {
  if [ -z "$said" ]; then tell "ready $1"; elif [ "$2" != "$o" ]; then tell touched; fi
  said=y o=$2
}
# Which directories these are: an import, or a person, may put others in their place.
ids() { ls -diL "$@"; }
# Lines of inotifywait come in bursts, of which each dd takes what is there.
watch() {
  while i=$(ids "$@"); do
    sh -c 'echo $$; exec inotifywait -m -r -q --format x -e ${events} "$@"' sh "$@" | {
      read -r p
      v=$(look "$@")
      kill -0 "$p" || exit 1
      news inotify "$v"
      while [ -n "$(dd bs=65536 count=1)" ]; do
        tell touched
        [ "$(ids "$@")" = "$i" ] || break
        sleep 0.2
      done
      kill "$p"
      exit 0
    } || return
    said=y
  done
}
while :; do
  command -v inotifywait >/dev/null && watch "$@"
  n=0
  while [ $n -lt 15 ]; do
    s=$(date +%s)
    v=$(look "$@")
    p=$((($(date +%s) - s) * 20))
    news look "$v"
    n=$((n + 1))
    if [ $p -gt 2 ]; then sleep $p; else sleep ${pauseSeconds}; fi
  done
done
}
`;
}
