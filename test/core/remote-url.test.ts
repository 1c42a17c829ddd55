import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseRemoteUrl, sshWords, type SshUrl } from '../../src/core/remote-url.ts';

const ssh = (user: string | undefined, host: string, port: number | undefined, path: string) => ({ kind: 'ssh', user, host, port, path });

describe('parseRemoteUrl', () => {
  test.each([
    ['/srv/repo.git', '/srv/repo.git'],
    ['../bare', '../bare'],
    ['./host:path', './host:path'],
    ['bare', 'bare'],
    ['file:///srv/my%20repo', '/srv/my repo'],
    ['file://localhost/srv/repo', '/srv/repo'],
    ['/with:colon', '/with:colon'],
  ])('%s is a path', (url, path) => {
    expect(parseRemoteUrl(url)).toEqual({ kind: 'path', path });
  });

  test.each([
    ['ssh://git@host.example/srv/r.git', ssh('git', 'host.example', undefined, '/srv/r.git')],
    ['ssh://host:2222/r', ssh(undefined, 'host', 2222, '/r')],
    ['ssh://host/~alice/r', ssh(undefined, 'host', undefined, '~alice/r')],
    ['ssh://host/~/r%20s', ssh(undefined, 'host', undefined, '~/r s')],
    ['ssh://me@[::1]:22/r', ssh('me', '::1', 22, '/r')],
    ['git+ssh://host/r', ssh(undefined, 'host', undefined, '/r')],
    ['git@github.com:me/r.git', ssh('git', 'github.com', undefined, 'me/r.git')],
    ['host:~/r', ssh(undefined, 'host', undefined, '~/r')],
    ['host:/srv/r', ssh(undefined, 'host', undefined, '/srv/r')],
    ['me@[::1]:r', ssh('me', '::1', undefined, 'r')],
    ['[me@host:2222]:r', ssh('me', 'host', 2222, 'r')],
  ])('%s is an ssh server', (url, expected) => {
    expect(parseRemoteUrl(url)).toEqual(expected);
  });

  test.each([
    ['https://host/r', 'https'],
    ['git://host/r', 'git'],
    ['ext::sh -c x', 'ext'],
    ['gidit::name', 'gidit'],
    ['ssh://-oProxyCommand=x/r', 'ssh'],
    ['-oProxyCommand=x:r', 'ssh'],
    ['-l@host:r', 'ssh'],
    ['ssh://host:99999/r', 'ssh'],
    ['ssh://host', 'ssh'],
  ])('%s is neither', (url, scheme) => {
    expect(parseRemoteUrl(url)).toEqual({ kind: 'other', scheme });
  });

  test('never lets a URL become an option of ssh', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.tuple(fc.constantFrom('-', '-o@', 'ssh://-', 'ssh://a@-', '[-', '[-x@'), fc.string()).map((parts) => parts.join(''))), (url) => {
        const parsed = parseRemoteUrl(url);
        if (parsed.kind === 'ssh') expect(sshWords({ ...parsed, port: undefined }).at(-1)).not.toMatch(/^-/);
      }),
    );
  });

  test('names the port and the user for ssh', () => {
    expect(sshWords(parseRemoteUrl('ssh://git@h:7/x') as SshUrl)).toEqual(['-p', '7', 'git@h']);
  });
});
