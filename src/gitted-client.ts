/** gitted-client, glxc-client and git-remote-gitted: arguments to exit code, errors printed. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { exitCodeOf, toGitsyncError } from './errors.ts';
import { runGittedClient } from './gitted/commands.ts';
import { maskCredentials, printable } from './log.ts';

function describe(error: unknown): string {
  const known = toGitsyncError(error);
  const lines = [`Error: ${known.message.split('\n').map((line) => printable(maskCredentials(line))).join('\n       | ')}`];
  if (known.hint !== undefined) lines.push(`Hint: ${known.hint}`);
  if (known.kind === 'bug' && error instanceof Error) lines.push(`This is a bug in gitsync; please report it with these lines:\n${error.stack ?? ''}`);
  return lines.join('\n');
}

/** One line of git's remote helper protocol, and not a byte more: what follows belongs to the service. */
async function readLine(): Promise<string | undefined> {
  let line = '';
  for (;;) {
    const byte = process.stdin.read(1) as Buffer | null;
    if (byte === null) {
      if (process.stdin.readableEnded) return undefined;
      await new Promise((resolve) => process.stdin.once('readable', resolve).once('end', resolve));
    } else if (byte[0] === 10) return line;
    else line += byte.toString('latin1');
  }
}

/** `git-remote-gitted REMOTE NAME`, for URLs of the form gitted::NAME. */
async function serveAsRemoteHelper(name: string): Promise<number> {
  for (let line = await readLine(); line !== undefined && line !== ''; line = await readLine()) {
    if (line === 'capabilities') process.stdout.write('connect\n\n');
    else if (line.startsWith('connect ')) {
      await new Promise((resolve) => process.stdout.write('\n', resolve));
      return runGittedClient(['handle-remote-protocol', name, line.slice('connect '.length)], program);
    }
  }
  return 0;
}

const program = realpathSync(process.argv[1] as string);
const work = basename(process.argv[1] as string).startsWith('git-remote-gitted') ? serveAsRemoteHelper(process.argv[3] ?? '') : runGittedClient(process.argv.slice(2), program);

function exit(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

work.then(exit, (error: unknown) => {
  process.stderr.write(`${describe(error)}\n`);
  exit(exitCodeOf(error));
});
