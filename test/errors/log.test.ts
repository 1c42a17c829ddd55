import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createLog, flushLogs, withFields, type LogLevel } from '../../src/log.ts';

function collect(level: LogLevel, json = false): { log: ReturnType<typeof createLog>; lines: () => Promise<string[]> } {
  const stream = new PassThrough();
  const log = createLog({ level, json, stream });
  return {
    log,
    async lines() {
      await flushLogs();
      return (stream.read() as Buffer | null)?.toString().trimEnd().split('\n') ?? [];
    },
  };
}

describe('the log', () => {
  afterEach(() => {
    delete process.env['JOURNAL_STREAM'];
  });

  test('writes a sentence and its fields, in order, and nothing below its level', async () => {
    const { log, lines } = collect('info');
    log.info('Pushed', { repo: 'wiki', commits: 2, why: 'two words', missing: undefined });
    log.debug('git push', {});
    log.error('Failed');
    expect((await lines()).map((line) => line.replace(/^\S+Z /, ''))).toEqual(['info  Pushed repo=wiki commits=2 why="two words"', 'error Failed']);
    log.warn('Later');
    expect((await lines())[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}Later$/);
  });

  test('hides credentials and escapes what a terminal would obey', async () => {
    const { log, lines } = collect('info');
    withFields(log, { repo: 'a\x1b[31m' }).info('Fetched https://me:secret@host/x', { url: 'https://token@host' });
    expect((await lines())[0]).toMatch(/Fetched https:\/\/\*\*\*@host\/x repo=a\\x1b\[31m url=https:\/\/\*\*\*@host$/);
  });

  test('gives journald priorities and no time', async () => {
    process.env['JOURNAL_STREAM'] = '8:1';
    const { log, lines } = collect('info');
    log.warn('Held back');
    expect(await lines()).toEqual(['<4>Held back']);
  });

  test('writes an object a line for programs', async () => {
    const { log, lines } = collect('info', true);
    log.info('Fetched', { url: 'https://me:secret@host', count: 3 });
    expect(JSON.parse((await lines())[0] as string)).toMatchObject({ level: 'info', message: 'Fetched', count: 3, url: 'https://***@host', timestamp: expect.stringMatching(/Z$/) });
  });
});
