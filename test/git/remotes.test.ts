import { describe, expect, test } from '@jest/globals';
import { listRemotes, publishTargets } from '../../src/git/remotes.ts';
import { openRepo } from '../../src/git/repository.ts';
import { sh, tempRepo } from '../helpers/repos.ts';

async function repoWith(settings: Record<string, string>) {
  const root = tempRepo();
  for (const [key, value] of Object.entries(settings)) sh(root, 'config', '--add', key, value);
  return openRepo(root);
}

describe('listRemotes', () => {
  test('gives the URLs that git would use', async () => {
    const repo = await repoWith({
      'remote.origin.url': 'gh:me/notes',
      'remote.back.up/x.url': '/srv/a b',
      'remote.back.up/x.pushurl': '/srv/push',
      'url.https://github.com/.insteadOf': 'gh:',
      'url.ssh://git@github.com/.pushInsteadOf': 'gh:',
      'remote.partial.url': '/srv/p',
      'remote.partial.promisor': 'true',
      'remote.partial.partialclonefilter': 'blob:none',
      'remote.nourl.prune': 'true',
    });
    sh(repo.workTree, 'config', '--add', 'remote.back.up/x.pushurl', '/srv/push2');
    expect(await listRemotes(repo)).toEqual([
      { name: 'back.up/x', url: '/srv/a b', pushUrl: '/srv/push' },
      { name: 'origin', url: 'https://github.com/me/notes', pushUrl: 'ssh://git@github.com/me/notes' },
      { name: 'partial', url: '/srv/p', pushUrl: '/srv/p' },
    ]);
  });

  test('is empty without remotes', async () => {
    expect(await listRemotes(await repoWith({}))).toEqual([]);
  });
});

describe('publishTargets', () => {
  const two = { 'remote.origin.url': '/o', 'remote.up.stream.url': '/u' };
  const upstream = { 'branch.fix/ü.remote': 'up.stream', 'branch.fix/ü.merge': 'refs/heads/trunk' };

  test.each<[string, Record<string, string>, string[] | undefined, string[]]>([
    ['the upstream, under its name there', { ...two, ...upstream }, undefined, ['up.stream trunk']],
    ['origin without an upstream', two, undefined, ['origin fix/ü']],
    ['the only remote', { 'remote.server.url': '/s' }, undefined, ['server fix/ü']],
    ['nowhere, when it is not clear where', { 'remote.one.url': '/1', 'remote.two.url': '/2' }, undefined, []],
    ['nowhere without remotes', {}, undefined, []],
    ['origin when the upstream is a local branch', { ...two, 'branch.fix/ü.remote': '.', 'branch.fix/ü.merge': 'refs/heads/main' }, undefined, ['origin fix/ü']],
    ['origin when the upstream remote is gone', { ...two, 'branch.fix/ü.remote': 'gone' }, undefined, ['origin fix/ü']],
    ['where the person pushes, not where they pull from', { ...two, ...upstream, 'remote.pushDefault': 'origin' }, undefined, ['origin fix/ü']],
    ['the push remote of the branch before the general one', { ...two, 'branch.fix/ü.pushRemote': 'up.stream', 'remote.pushDefault': 'origin' }, undefined, ['up.stream fix/ü']],
    ['each configured remote, once', { ...two, ...upstream }, ['up.stream', 'origin', 'up.stream'], ['up.stream trunk', 'origin fix/ü']],
    ['a configured remote that does not exist, so that its fetch can say so', two, ['nosuch'], ['nosuch fix/ü']],
    ['nowhere when none is configured on purpose', two, [], []],
  ])('publishes to %s', async (_, settings, configured, expected) => {
    const targets = await publishTargets(await repoWith(settings), 'fix/ü', configured);
    expect(targets.map(({ remote, branch }) => `${remote} ${branch}`)).toEqual(expected);
  });
});
