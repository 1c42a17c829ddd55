/** `gitsync demo`: the story, with real agents. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, program, type Machine } from '../helpers/machine.ts';
import { describeWith } from '../helpers/requires.ts';
import { tempDir } from '../helpers/repos.ts';
import { expectPrintable } from './expect-error.ts';

/** What has to happen, in this order. */
const chapters = [
  /desk: gitsync init ~\/Notes --remote SERVER/,
  /Proof: a fresh clone of SERVER has the same commit/,
  /laptop: git clone SERVER ~\/Notes; gitsync add ~\/Notes/,
  /both agents run and say "safe"/,
  /desk writes ideas\.md; it is on laptop \d+ ms later/,
  /laptop writes answers\.md; it is on desk \d+ ms later/,
  /both write the same line of plan\.md at once: \d+ ms later both have both versions, and the same commit/,
  /1 conflict .*plan\.conflict-.*-> gitsync resolve ~\/Notes\/plan\.md --keep current\|copy\|both/,
  /Resolved: kept the file/,
  /the server goes away/,
  /NOT SAFE/,
  /the server is back: \d+ ms later both have everything/,
  /killed with -9/,
  /it starts again: \d+ ms later nothing is missing/,
  /~\/Notes {2}safe/,
];

/** Processes with this word on their command line. */
function pidsOf(word: string): string[] {
  const has = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && has(name));
}

let machine: Machine;
let temporary: string;
beforeAll(() => {
  machine = makeMachine('visitor');
  temporary = tempDir('demo');
  machine.env['TMPDIR'] = temporary;
});

describe('the demo', () => {
  test('tells the whole story in order, ends with the three commands, and leaves nothing behind', () => {
    const result = machine.run('demo');
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expectPrintable(result);
    let rest = result.stdout;
    for (const chapter of chapters) {
      expect(rest).toMatch(chapter);
      rest = rest.slice((chapter.exec(rest)?.index ?? 0) + 1);
    }
    expect(result.stdout.trimEnd().split('\n').slice(-3).map((line) => line.trim())).toEqual(['gitsync init ~/Notes --remote SERVER:notes.git', 'gitsync --daemon &', 'gitsync status']);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(join(machine.home, '.config'))).toEqual([]);
  });

  test('tells programs the same, with times', () => {
    const { exitCode, stdout, stderr } = machine.run('demo', '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { ok, story } = JSON.parse(stdout) as { ok: boolean; story: { atMs: number; text: string }[] };
    expect(ok).toBe(true);
    for (const chapter of chapters) expect(story.some(({ text }) => chapter.test(text))).toBe(true);
    expect(story.map(({ atMs }) => atMs)).toEqual(story.map(({ atMs }) => atMs).sort((a, b) => a - b));
  });
});

describeWith(['linux'], 'the demo, on Ctrl-C', () => {
  test('ends its agents and takes everything away', async () => {
    const child = spawn(process.execPath, [program, 'demo'], { env: machine.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (told += part.toString()));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await converge('both agents run', () => told.includes('both agents run'));
    const agents = pidsOf('--daemon').filter((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(temporary));
    expect(agents).toHaveLength(2);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(told).toMatch(/interrupted/);
    expect(readdirSync(temporary)).toEqual([]);
    await converge('the agents are gone', () => agents.every((pid) => !existsSync(`/proc/${pid}`)));
  });
});
