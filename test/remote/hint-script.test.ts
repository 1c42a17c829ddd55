/** The script that tells of changes from inside a machine, in the shells and with the tools that machines have. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { hintScript } from '../../src/remote/hint-script.ts';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith, type Part } from '../helpers/requires.ts';
import { groupOf } from '../helpers/processes.ts';

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), 'SIGKILL');
});

/** A directory with programs of that name only. */
function toolsWithout(...missing: string[]): string {
  const directory = tempDir('tools');
  for (const from of ['/bin', '/usr/bin']) {
    for (const name of readdirSync(from)) if (!missing.includes(name)) symlinkIfFree(`${from}/${name}`, join(directory, name));
  }
  return directory;
}

function busyboxTools(): string {
  const directory = tempDir('tools');
  for (const name of ['sh', 'find', 'ls', 'md5sum', 'date', 'sleep', 'cat', 'dd', 'printf', 'kill']) symlinkSync('/bin/busybox', join(directory, name));
  return directory;
}

function symlinkIfFree(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch {
    // In both directories.
  }
}

interface Session {
  child: ChildProcess;
  lines(): string[];
  count(word: string): number;
  hasEnded(): boolean;
}

/** Starts it as the agent does: in a process group of its own, fed on standard input. */
function start(shell: string, tools: string | undefined, paths: string[]): Session {
  const child = spawn(shell, ['-s'], { env: { ...process.env, ...(tools === undefined ? {} : { PATH: tools }) }, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  running.push(child);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(hintScript('', paths, 0.2));
  const lines = (): string[] => text.split('\n').slice(0, -1).map((line) => line.replace('gitsync-hint ', ''));
  return { child, lines, count: (word) => lines().filter((line) => line === word).length, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

async function tells(session: Session, what: string, change: () => void): Promise<void> {
  const before = session.count('touched');
  change();
  await converge(`it tells of ${what}`, () => session.count('touched') > before);
}

const put = (path: string, content: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
};

const kinds: { title: string; needs: Part[]; shell: string; means: 'inotify' | 'look'; tools: () => string | undefined }[] = [
  { title: 'bash with inotifywait', needs: ['inotify-tools'], shell: 'bash', means: 'inotify', tools: () => undefined },
  { title: 'dash with inotifywait', needs: ['inotify-tools'], shell: 'dash', means: 'inotify', tools: () => undefined },
  { title: 'dash without it', needs: ['linux'], shell: 'dash', means: 'look', tools: () => toolsWithout('inotifywait') },
  { title: 'busybox alone', needs: ['busybox'], shell: '/bin/busybox', means: 'look', tools: busyboxTools },
];

for (const { title, needs, shell, means, tools } of kinds) {
  describeWith(needs, `a machine with ${title}`, () => {
    const begin = async (paths: string[]): Promise<Session> => {
      const session = shell === '/bin/busybox' ? start(join(tools() as string, 'sh'), busyboxTools(), paths) : start(shell, tools(), paths);
      await converge('it is ready', () => session.lines().length > 0);
      expect(session.lines()[0]).toBe(`ready ${means}`);
      return session;
    };

    test('tells of new, changed, renamed and removed files, below and beside', async () => {
      const root = tempDir("it's $(an) \"export\"");
      const other = tempDir('other');
      put(join(root, 'old.txt'), 'old');
      const session = await begin([root, other]);
      await tells(session, 'a new file', () => put(join(root, 'new.txt'), '1'));
      await tells(session, 'another content', () => put(join(root, 'old.txt'), 'changed'));
      await tells(session, 'a new directory', () => put(join(root, 'a/b/c.txt'), '1'));
      await tells(session, 'a file in it', () => put(join(root, 'a/b/d.txt'), '1'));
      await tells(session, 'another name', () => renameSync(join(root, 'a/b/d.txt'), join(root, 'a/b/e.txt')));
      await tells(session, 'the other directory', () => put(join(other, 'x'), '1'));
    });

    test('goes on where the directory is another one, or was not there', async () => {
      const parent = tempDir('parent');
      const root = join(parent, 'export');
      mkdirSync(root);
      const session = await begin([root]);
      await tells(session, 'the swap', () => {
        renameSync(root, join(parent, 'before'));
        put(join(root, 'x'), '1');
      });
      await tells(session, 'a file in the new one', () => put(join(root, 'y'), '1'));
      const later = start(shell === '/bin/busybox' ? join(tools() as string, 'sh') : shell, shell === '/bin/busybox' ? busyboxTools() : tools(), [join(parent, 'later')]);
      await converge('it is ready', () => later.lines()[0] === 'ready look');
      await tells(later, 'the directory', () => put(join(parent, 'later/x'), '1'));
    });

    test('says little of a burst', async () => {
      const root = tempDir('burst');
      const session = await begin([root]);
      for (let i = 0; i < 1_000; i++) put(join(root, `${i % 10}/${i}`), '1');
      await converge('it tells', () => session.count('touched') > 0);
      await tells(session, 'what comes later', () => put(join(root, 'later'), '1'));
      expect(session.count('touched')).toBeLessThan(100);
    });

    test.each(['the end of its input', 'the death of its shell', 'the end of who reads it'])('leaves nothing behind after %s', async (how) => {
      const root = tempDir('end');
      const session = await begin([root]);
      const group = session.child.pid as number;
      expect(groupOf(group).length).toBeGreaterThan(1);
      if (how === 'the end of its input') session.child.stdin?.end();
      else if (how === 'the death of its shell') {
        session.child.kill('SIGKILL');
        session.child.stdin?.end();
      } else {
        session.child.stdout?.destroy();
        put(join(root, 'x'), '1');
      }
      await converge('it is gone', () => groupOf(group).length === 0);
    });
  });
}

describe('a machine with nothing to look with', () => {
  test('says so', async () => {
    const session = start('dash', toolsWithout('inotifywait', 'find'), ['/nonexistent']);
    await converge('it is said', () => session.lines().length > 0);
    expect(session.lines()).toEqual(['ready none']);
  });
});
