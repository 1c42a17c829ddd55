/** What a remote, or another machine that shares it, can send. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { commitFiles, exists, read, sh, tempDir, twoMachines, write } from '../helpers/repos.ts';

const longMs = 300_000;

let machine: Machine;
beforeEach(() => {
  machine = makeMachine('victim');
});
afterEach(() => machine.stop());

/** Objects as no git would make them. */
function hash(root: string, type: 'blob' | 'tree', input: Buffer): string {
  return execFileSync('git', ['hash-object', '-w', '-t', type, '--literally', '--stdin'], { cwd: root, input }).toString().trim();
}

/** A commit on the remote's main whose tree has one more entry, with any name and mode. */
function pushEntry(root: string, mode: string, name: string, oid: string): void {
  const entries = sh(root, 'ls-tree', 'main').split('\n').map((line) => /^(\d+) \w+ (\w+)\t(.*)$/.exec(line) as RegExpExecArray);
  const bytes = [...entries.map(([, entryMode, entryOid, entryName]) => [entryMode, entryName, entryOid] as string[]), [mode, name, oid]].map(([entryMode, entryName, entryOid]) => Buffer.concat([Buffer.from(`${(entryMode as string).replace(/^0/, '')} ${entryName}\0`), Buffer.from(entryOid as string, 'hex')]));
  const commit = sh(root, 'commit-tree', '-p', 'main', '-m', 'evil', hash(root, 'tree', Buffer.concat(bytes)));
  sh(root, 'push', '-q', 'origin', `${commit}:refs/heads/main`);
}

/** Every file below a directory but for git's own. */
const filesIn = (root: string): string[] => readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !/^\.git(\/|$)/.test(name)).sort();

describe('a tree that a remote sends', () => {
  const names = ['..', '.', '.git', '.GIT', '.Git', 'git~1', 'GIT~1', '.git ', '.git.', '.git::$INDEX_ALLOCATION', '.g\u200cit', '\ufeff.git', '.gi\u200dt', 'a/../../x', '/abs'];

  test('gets no file of a name that means git\'s folder or another place into the work tree or around it', () => {
    const { a, b, remote } = twoMachines();
    const around = tempDir('around');
    const root = join(around, 'work');
    renameSync(a, root);
    const good = sh(remote, 'rev-parse', 'main');
    const before = { config: read(root, '.git/config'), hooks: readdirSync(join(root, '.git/hooks')) };
    machine.configure([root], `${quickSettings}\nremotes = origin`);
    const blob = hash(b, 'blob', Buffer.from('#!/bin/sh\ntouch /tmp/evil\n'));
    const inner = hash(b, 'tree', Buffer.concat([Buffer.from('100755 config\0'), Buffer.from(blob, 'hex')]));
    for (const [index, name] of names.entries()) {
      const [mode, oid] = ([['100755', blob], ['40000', inner], ['120000', blob]] as const)[index % 3] as readonly [string, string];
      sh(b, 'update-ref', 'refs/heads/main', good);
      sh(remote, 'update-ref', 'refs/heads/main', good);
      pushEntry(b, mode, name, oid);
      write(root, 'mine.txt', `${index}\n`);
      machine.run('--once');
      expect({ name, around: readdirSync(around), inside: filesIn(root) }).toEqual({ name, around: ['work'], inside: ['mine.txt', 'readme.md'] });
      // What the person saved is in history all the same.
      expect(sh(root, 'show', 'main:mine.txt')).toBe(String(index));
    }
    expect({ config: read(root, '.git/config'), hooks: readdirSync(join(root, '.git/hooks')) }).toEqual(before);
  }, longMs);

  test('does not write through a symbolic link: one that it sent before, or one that lies there', () => {
    const { a, b } = twoMachines();
    machine.configure([a]);
    const outside = tempDir('outside');
    symlinkSync(outside, join(b, 'sent'));
    commitFiles(b, {}, '');
    sh(b, 'add', '-A');
    sh(b, 'commit', '-qm', 'a link');
    sh(b, 'push', '-q', 'origin', 'main');
    machine.run('--once');
    expect(lstatSync(join(a, 'sent')).isSymbolicLink()).toBe(true);
    // The person's own link, which git ignores.
    write(a, '.git/info/exclude', 'own\n');
    symlinkSync(outside, join(a, 'own'));
    execFileSync('rm', [join(b, 'sent')]);
    commitFiles(b, { 'sent/file.txt': 'in the tree\n', 'own/file.txt': 'in the tree\n' });
    sh(b, 'push', '-q', 'origin', 'main');
    machine.run('--once');
    expect(readdirSync(outside)).toEqual([]);
    expect(read(a, 'sent/file.txt')).toBe('in the tree\n');
    expect(lstatSync(join(a, 'own')).isSymbolicLink()).toBe(true);
  }, longMs);

  test('cannot have content of other places published by links', () => {
    const { a, b, remote } = twoMachines();
    machine.configure([a]);
    const secret = join(tempDir('secret'), 'key');
    writeFileSync(secret, 'private key\n');
    symlinkSync(secret, join(b, 'notes.txt'));
    symlinkSync('.git/config', join(b, 'config.txt'));
    sh(b, 'add', '-A');
    sh(b, 'commit', '-qm', 'links');
    sh(b, 'push', '-q', 'origin', 'main');
    machine.run('--once');
    write(a, 'more.txt', 'x\n');
    machine.run('--once');
    expect(sh(remote, 'cat-file', '-p', 'main:notes.txt')).toBe(secret);
    expect(sh(remote, 'cat-file', '-p', 'main:config.txt')).toBe('.git/config');
  }, longMs);

  test('a machine\'s name in a commit becomes a harmless part of a conflict copy\'s name', () => {
    const { a, b } = twoMachines();
    machine.configure([a]);
    commitFiles(b, { 'readme.md': 'theirs\n' }, 'evil\n\nGitsync-Host: ../../../tmp/\u001b[2Jx\n');
    sh(b, 'push', '-q', 'origin', 'main');
    write(a, 'readme.md', 'ours\n');
    machine.run('--once');
    const names = filesIn(a);
    expect(names.filter((name) => name.includes('.conflict-'))).toHaveLength(1);
    for (const name of names) expect(name).toMatch(/^readme(\.conflict-[\w-]+)?\.md$/);
  }, longMs);
});

describe('what a remote makes us print', () => {
  const escapes = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e';
  const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

  test('names of files and authors and messages of commits do not reach the terminal as they are', () => {
    const { a, b } = twoMachines();
    machine.configure([a]);
    write(b, `evil${escapes}\nINJECTED.txt`, 'x\n');
    sh(b, 'add', '-A');
    sh(b, '-c', `user.name=Eve${escapes}`, 'commit', '-qm', `hello ${escapes}`);
    sh(b, 'push', '-q', 'origin', 'main');
    write(a, `evil${escapes}\nINJECTED.txt`, 'ours\n');
    write(a, `held${escapes}/.env`, 'TOKEN=1\n');
    const outputs = [['--once', '--verbose'], ['status'], ['log', a], ['conflicts'], ['doctor', a]].map((words) => machine.run(...words));
    expect(outputs[3]?.stdout).toContain('INJECTED');
    for (const { stdout, stderr } of outputs) expect(`${stdout}${stderr}`).not.toMatch(obeyed);
    for (const { stdout, stderr } of outputs) expect(`${stdout}${stderr}`).not.toMatch(/^INJECTED/m);
    expect(exists(a, `evil${escapes}\nINJECTED.txt`)).toBe(true);
  }, longMs);

  test('nor do the words of a server that refuses', () => {
    const { a, remote } = twoMachines();
    machine.configure([a]);
    write(remote, 'hooks/pre-receive', `#!/bin/sh\nprintf '${escapes.replaceAll('\u001b', '\\033').replaceAll('\u0007', '\\007')}no\\nINJECTED\\n' >&2\nexit 1\n`);
    chmodSync(join(remote, 'hooks/pre-receive'), 0o755);
    write(a, 'new.txt', 'x\n');
    for (const words of [['--once', '--debug'], ['sync', a]]) {
      const { stdout, stderr } = machine.run(...words);
      expect(`${stdout}${stderr}`).not.toMatch(obeyed);
      expect(`${stdout}${stderr}`).not.toMatch(/^INJECTED/m);
    }
  }, longMs);

  test('a name cannot forge a line of the log', async () => {
    const { a } = twoMachines();
    machine.configure([a]);
    await machine.start(['--debug']);
    write(a, 'x\n2026-01-01T00:00:00.000Z error FORGED repo=x\n.txt', 'x\n');
    await converge('committed', () => machine.log().includes('Committed'));
    await machine.stop();
    for (const line of machine.log().trimEnd().split('\n')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn |info |debug) (?!FORGED)/);
  }, longMs);

  test('passwords in URLs are shown nowhere', () => {
    const { a } = twoMachines();
    machine.configure([a]);
    sh(a, 'remote', 'set-url', 'origin', 'http://me:hunter2secret@127.0.0.1:1/r.git');
    for (const words of [['--once', '--debug'], ['status', '--json'], ['doctor', a]]) {
      const { stdout, stderr } = machine.run(...words);
      expect(`${stdout}${stderr}`).not.toContain('hunter2secret');
    }
    expect(existsSync(join(a, '.git'))).toBe(true);
  }, longMs);
});
