/** Real gpg with a home of its own, in a short path since its agent's socket lies there. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll } from '@jest/globals';
import { projectId } from '../../src/gidit/address.ts';
import { nextChain, type Links } from '../../src/gidit/fork.ts';
import { exportKey, signDetached } from '../../src/gidit/gpg.ts';
import { formatSigned, parsePushObject, type Chain, type PushObject, type RefEntry } from '../../src/gidit/push-object.ts';
import { encodeWire } from '../../src/gidit/wire.ts';

/** A GNUPGHOME for the whole test file, which ends with it; also set in the environment. */
export function gpgHome(): string {
  const home = mkdtempSync('/tmp/gg-');
  // Child processes of a test see it only where `env: process.env` is given: jest has an environment of its own.
  process.env['GNUPGHOME'] = home;
  afterAll(() => {
    try {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' });
    } finally {
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    }
  });
  return home;
}

/** Runs stock gpg in the home above. */
export function gpg(...args: string[]): string {
  return execFileSync('gpg', ['--batch', '--no-tty', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: process.env });
}

let made = 0;

/** Makes a key and returns its fingerprint. */
export function makeKey(algorithm: 'ed25519' | 'rsa2048' = 'ed25519', expires = 'never', ...options: string[]): string {
  const userId = `Person ${++made} <person${made}@example.org>`;
  gpg(...options, '--quick-generate-key', userId, algorithm, 'sign', expires);
  return /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--with-colons', '--list-keys', `=${userId}`))?.[1] as string;
}

/** Signs the next object of a project behind `tips`. */
export async function signObject(fingerprint: string, project: string, refs: RefEntry[], tips: Links[] = [], change: Partial<Chain> = {}): Promise<PushObject> {
  const chain = { ...nextChain(projectId({ fingerprint, project }), tips), ...change };
  const body = formatSigned(refs, chain);
  return parsePushObject(Buffer.concat([body, await signDetached(body, [fingerprint])]));
}

/** The message that a client sends. */
export async function messageOf(fingerprint: string, project: string, pushObject: PushObject): Promise<Buffer> {
  return encodeWire({ key: await exportKey(fingerprint), project, pushObject });
}
