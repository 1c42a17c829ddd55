import { describe, expect, test } from '@jest/globals';
import { newRemote, type RemoteState } from '../../src/core/remote-state.ts';
import { ordinaryTriggers } from '../../src/core/remote-triggers.ts';
import { formatAge, judgeStatus, type StatusFacts } from '../../src/core/status.ts';

const now = 1_000_000_000;
const remote = (change: Partial<RemoteState> = {}): StatusFacts['remotes'][number] => ({ name: 'origin', branch: 'main', state: { ...newRemote(0, { triggers: ordinaryTriggers({ pollMs: 60_000, scheduled: false }) }), tip: 'c1', lastSyncMs: now - 120_000, ...change } });
const facts = (change: Partial<StatusFacts> = {}): StatusFacts => ({
  path: '/home/me/Notes', branch: 'main', nowMs: now, unavailable: undefined, captureError: undefined, pausedUntilMs: 0, standsStill: undefined, dirty: false, local: 'c1',
  remotes: [remote()], containers: [], unpublished: 0, held: [], blocked: [], failed: [], nested: [], movedSubmodules: [], conflicts: [], watchProblem: undefined, agentRuns: true, ...change,
});

describe('the verdict on a repository', () => {
  test('is safe when everything is published, and says where and when', () => {
    expect(judgeStatus(facts())).toMatchObject({ level: 'safe', state: 'safe', why: 'everything on origin/main, 2 min ago', commands: [] });
  });

  test('is never safe while something is unpublished, unsaved, or unwatched', () => {
    expect(judgeStatus(facts({ local: 'c2', unpublished: 1, remotes: [remote({ lastSyncMs: now - 1_000 })] })).level).toBe('attention');
    expect(judgeStatus(facts({ local: 'c2', unpublished: 1 })).level).toBe('unsafe');
    expect(judgeStatus(facts({ dirty: true })).level).toBe('attention');
    expect(judgeStatus(facts({ agentRuns: false })).level).toBe('attention');
    expect(judgeStatus(facts({ remotes: [] })).level).toBe('attention');
  });

  test('is not safe when commits wait for a remote in trouble: how many, how long, why, and what helps', () => {
    const failure = { kind: 'auth' as const, sentence: 'ssh agent has no keys', hint: 'ssh-add', sinceMs: now - 3 * 3_600_000 };
    expect(judgeStatus(facts({ local: 'c2', unpublished: 12, remotes: [remote({ failure })] }))).toMatchObject({
      level: 'unsafe', state: 'NOT SAFE', why: '12 commits not published for 3 h: ssh agent has no keys', commands: ['ssh-add'],
    });
  });

  test('names held files with both commands', () => {
    const line = judgeStatus(facts({ held: [{ path: '.env', reason: 'secret-name', detail: 'looks like a secret' }] }));
    expect(line).toMatchObject({ state: 'held 1', why: '.env looks like a secret; saved here, not pushed', commands: ['gitsync allow /home/me/Notes/.env', 'gitsync ignore /home/me/Notes/.env'] });
  });

  test('a mass deletion is one event, with the command that brings everything back and the one that lets it through', () => {
    const held = ['a', 'b', 'c'].map((path) => ({ path, reason: 'mass-deletion', detail: '30 of 40 files disappeared at once' }));
    expect(judgeStatus(facts({ held }))).toMatchObject({
      state: 'held 3', why: '30 of 40 files disappeared at once: a (and 2 more); here only, not published', commands: ['gitsync restore /home/me/Notes --at now', 'gitsync allow /home/me/Notes'],
    });
  });

  test('a repository that another gitsync has in hand wants attention only', () => {
    expect(judgeStatus(facts({ unavailable: { kind: 'locked', sentence: 'in the hands of another gitsync', hint: undefined } }))).toMatchObject({ level: 'attention', state: 'busy' });
  });

  test('a repository without a commit does not claim that a remote has everything', () => {
    expect(judgeStatus(facts({ local: null, remotes: [remote({ tip: null })] }))).toMatchObject({ level: 'safe', why: 'nothing in it yet' });
  });

  test('trouble that has just begun has no age', () => {
    const failure = { kind: 'offline' as const, sentence: 'The remote cannot be reached.', hint: undefined, sinceMs: now };
    expect(judgeStatus(facts({ local: 'c2', unpublished: 1, remotes: [remote({ failure })] })).why).toBe('1 commit not published: The remote cannot be reached.');
  });

  test('names a conflict and how to end it', () => {
    const line = judgeStatus(facts({ conflicts: [{ path: 'a b.tex', copy: 'a b.conflict-x.tex' }] }));
    expect(line).toMatchObject({ level: 'attention', state: '1 conflict', commands: [`gitsync resolve '/home/me/Notes/a b.tex' --keep current|copy|both`] });
  });

  test('trouble comes before what only wants attention', () => {
    const line = judgeStatus(facts({ unavailable: { sentence: 'gone', hint: undefined }, conflicts: [{ path: 'a', copy: 'b' }] }));
    expect(line).toMatchObject({ level: 'unsafe', why: 'gone' });
  });

  test('work on a fallback branch is kept, so it wants attention only', () => {
    const failure = { kind: 'refused' as const, sentence: 'origin refuses main', hint: undefined, sinceMs: now };
    expect(judgeStatus(facts({ local: 'c2', unpublished: 1, remotes: [remote({ failure, refused: true, fallbackTip: 'c2' })] }))).toMatchObject({ level: 'attention', state: 'refused' });
  });

  test.each([[0, 'just now'], [42_000, '42 s'], [120_000, '2 min'], [3_599_000, '1 h'], [59_900, '1 min'], [47.9 * 3_600_000, '2 d'], [3 * 3_600_000, '3 h'], [100 * 3_600_000, '4 d']])('an age of %d ms is %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });
});
