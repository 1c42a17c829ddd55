/** Makes the bare repository that a remote over ssh names, where the account gives a shell. */
import type { SshUrl } from '../core/remote-url.ts';
import { shellQuote } from '../core/shell-quote.ts';
import type { Repo } from '../git/git.ts';
import { sshCommandOf } from '../git/ssh-command.ts';
import { gitEnvironment } from '../process/env.ts';
import { run } from '../process/run.ts';
import { connectWords, isForge } from './ssh.ts';
import { pathWord } from './watch-script.ts';

/** The last line of a script that made it; a login script may print others. */
const madeWord = 'gitsync-made';

/** Only in a directory that exists: a typing mistake makes no tree of directories on a server. */
function makeScript(path: string, branch: string): string {
  return `d=${pathWord(path)}
[ -d "$(dirname -- "$d")" ] || exit 1
if [ -e "$d" ]; then [ -d "$d" ] && [ -z "$(ls -A -- "$d")" ] || exit 1; fi
git init --quiet --bare -- "$d" && git --git-dir="$d" symbolic-ref HEAD ${shellQuote(`refs/heads/${branch}`)} && echo ${madeWord}
`;
}

/** Makes it with `branch` as its default; says whether it did. What is there already is left alone. */
export async function makeRepositoryOverSsh(repo: Repo, url: SshUrl, branch: string): Promise<boolean> {
  const command = await sshCommandOf(repo);
  if (command === undefined || isForge(url.host)) return false;
  const options = { env: gitEnvironment(), input: makeScript(url.path, branch), idleTimeoutMs: 30_000 };
  const { exitCode, stdout } = await run('sh', connectWords(command, url, 'sh -s'), options);
  return exitCode === 0 && stdout.toString().trimEnd().endsWith(madeWord);
}
