/** The applications of examples/, pushed as their pages say, in real containers with real databases. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { clientFile, runProgram, type Said } from '../helpers/gitted-machine.ts';
import { read, sh, tempDir, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 1_200_000;
const source = new URL('../..', import.meta.url).pathname;

/** The lines of the README's container story; `#` alone divides what is typed before and after somebody uses the application. */
function readStory(): { before: string; after: string } {
  const block = /## A repository that runs[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync(join(source, 'README.md'), 'utf8'))?.[1] ?? '';
  const [before = '', after = ''] = block.split(/^#.*\n/m);
  return { before, after };
}

/** Runs lines as a person types them; the first that fails ends it. */
function type(lines: string): Promise<Said> {
  const bin = tempDir('bin');
  symlinkSync(clientFile, join(bin, 'gitted-client'));
  const child = spawn('bash', ['-e', '-c', lines], { cwd: source, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` } });
  let stdout = '';
  let text = '';
  child.stdout.on('data', (data: Buffer) => void ((stdout += data.toString()), (text += data.toString())));
  child.stderr.on('data', (data: Buffer) => void (text += data.toString()));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status: status ?? -1, text, stdout })));
}

async function fetchPage(url: string, form?: Record<string, string>): Promise<string> {
  const response = await fetch(url, form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) });
  expect(response.status).toBe(200);
  return response.text();
}

const urlIn = (said: Said): string => /=====> (http:\/\/[\d.]+\/) answers 200/.exec(said.text)?.[1] ?? `no URL in: ${said.text}`;

describeWith(['root', 'lxc', 'mmdebstrap'], 'the examples', () => {
  const book = `gitsync-test-book-${process.pid}`;
  const wiki = `gitsync-test-wiki-${process.pid}`;
  const story = readStory();
  const home = process.env['HOME'] as string;
  let pushes: Promise<Said>[];
  const inWiki = (...args: string[]): Said => runProgram(join(home, 'wiki'), 'git', args);

  beforeAll(() => {
    mkdirSync(home, { recursive: true });
    // Both at once, as two people may: the base image is made by one of them.
    pushes = [
      type(story.before.replaceAll('mybook', book)),
      type(story.before.replaceAll('mybook', wiki).replaceAll('guestbook', 'wiki')),
    ];
  });
  afterAll(async () => {
    await Promise.all(pushes);
    for (const each of [book, wiki]) runProgram('/', 'lxc-destroy', ['-f', '-n', each]);
  }, longMs);

  test('the guest book of the README: pushed, written into, pulled, changed, pushed', async () => {
    const pushed = await (pushes[0] as Promise<Said>);
    expect(pushed).toMatchObject({ status: 0 });
    const url = urlIn(pushed);
    expect(await fetchPage(url)).toMatch(/<h1>Guest book<\/h1>[\s\S]*Charles[\s\S]*Two lines<br>in one entry\.[\s\S]*Ada/);
    expect(await fetchPage(url, { name: 'Grace <b>', message: 'naïve & "quoted"\r\nsecond line' })).toContain('<b>Grace &lt;b&gt;</b>');
    const { status, text, stdout } = await type(`cd ~/guestbook\n${story.after.replaceAll('mybook', book)}`);
    expect({ status, text }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^\+3\tGrace <b>\tnaïve & "quoted"\\nsecond line\t20\d\d-/m);
    expect(await fetchPage(url)).toContain('<h1>Our guests</h1>');
  }, longMs);

  test('the wiki with MariaDB: pushed, edited, pulled, changed, pushed', async () => {
    const pushed = await (pushes[1] as Promise<Said>);
    expect(pushed).toMatchObject({ status: 0 });
    const url = urlIn(pushed);
    expect(await fetchPage(url)).toMatch(/Welcome[\s\S]*<a href="\/\?page=Rows">Rows<\/a>/);
    expect(await fetchPage(url, { page: 'Née "x"', body: 'A new page\nwith\ttab \\ and <tag>' })).toContain('&lt;tag&gt;');
    inWiki('pull', '-q', wiki, 'master');
    expect(inWiki('log', '-p', '-1').stdout).toMatch(/^\+Née "x"\tA new page\\nwith\\ttab \\\\ and <tag>\t20\d\d-/m);
    write(join(home, 'wiki'), 'mysql/wiki/data/page/first.tsv', read(join(home, 'wiki'), 'mysql/wiki/data/page/first.tsv').replace('Welcome.', 'Welcome back.'));
    sh(join(home, 'wiki'), 'commit', '-q', '-a', '-m', 'greeting');
    const again = inWiki('push', wiki, 'master');
    expect(again).toMatchObject({ status: 0, text: expect.stringContaining('1 table to import') });
    expect(await fetchPage(url)).toContain('Welcome back.');
    expect(await fetchPage(`${url}?page=${encodeURIComponent('Née "x"')}`)).toContain('A new page');
  }, longMs);

  test('an application whose program changes has the new one after the push', async () => {
    const url = urlIn(await (pushes[1] as Promise<Said>));
    const script = 'sysconf/actual/tree/srv/wiki/cgi-bin/index.cgi';
    write(join(home, 'wiki'), script, read(join(home, 'wiki'), script).replace('>Edit</a>', '>Change this page</a>'));
    sh(join(home, 'wiki'), 'commit', '-q', '-a', '-m', 'a clearer link');
    expect(inWiki('push', wiki, 'master')).toMatchObject({ status: 0 });
    expect(await fetchPage(url)).toContain('Change this page');
  }, longMs);
});
