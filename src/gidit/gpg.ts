/** OpenPGP, the secret half: gpg signs, and its keys stay in its agent or on a card. */
import { GitsyncError } from '../errors.ts';
import { run, type RunResult } from '../process/run.ts';

/** Which gpg, and whose keys; default: `gpg` in PATH with GNUPGHOME or ~/.gnupg. */
export interface Gpg {
  program?: string;
  home?: string;
}

/** A person may have to find a card or type a passphrase. */
const idleTimeoutMs = 300_000;

async function runGpg(gpg: Gpg, args: readonly string[], input?: Uint8Array | string): Promise<RunResult & { status: string[] }> {
  const home = gpg.home === undefined ? [] : ['--homedir', gpg.home];
  const result = await run(gpg.program ?? 'gpg', [...home, '--batch', '--no-tty', '--status-fd', '2', ...args], {
    // Messages in English; pinentry still finds the terminal by GPG_TTY.
    env: { ...process.env, LC_ALL: 'C.UTF-8', LANGUAGE: 'C' },
    idleTimeoutMs,
    ...(input === undefined ? {} : { input }),
  });
  const status = result.stderr.split('\n').flatMap((line) => (line.startsWith('[GNUPG:] ') ? [line.slice('[GNUPG:] '.length)] : []));
  return { ...result, status };
}

/** What gpg says for people, without its status lines. */
function wordsOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('[GNUPG:] '));
  return lines.map((line) => line.replace(/^gpg: /, '')).slice(-2).join('; ');
}

/**
 * Makes a detached armored signature over raw bytes, by one key or two.
 * @param keys fingerprints, or anything else that `gpg -u` takes.
 * @throws GitsyncError `signing`
 */
export async function signDetached(bytes: Uint8Array, keys: readonly string[], gpg: Gpg = {}): Promise<Buffer> {
  const result = await runGpg(gpg, ['--armor', '--no-emit-version', '--no-comments', '--detach-sign', ...keys.flatMap((key) => ['--local-user', key])], bytes);
  const made = result.status.filter((line) => line.startsWith('SIG_CREATED D ')).length;
  // An unsigned object is worse than none: gpg's own word counts, not only its exit code.
  if (result.exitCode !== 0 || made !== keys.length) throw explainSigning(keys, result);
  return result.stdout;
}

function explainSigning(keys: readonly string[], { status, stderr, exitCode }: { status: string[]; stderr: string; exitCode: number }): GitsyncError {
  const key = keys.join(' and ');
  const cause = new Error(`gpg (exit code ${exitCode}): ${wordsOf(stderr)}`);
  if (status.some((line) => line.startsWith('INV_SGNR') || line.startsWith('NO_SECKEY'))) {
    const expired = status.some((line) => line.startsWith('KEYEXPIRED'));
    return new GitsyncError('signing', `The key ${key} cannot sign: ${expired ? 'it has expired' : 'its secret half is not here, or it is not usable'}.`, { cause, hint: expired ? `gpg --quick-set-expire ${key} 2y` : 'gpg --list-secret-keys shows which can; git gidit init makes one' });
  }
  if (status.some((line) => line.startsWith('PINENTRY_LAUNCHED')) || /pinentry|passphrase|cancelled/i.test(stderr)) {
    return new GitsyncError('signing', `The key ${key} did not sign: its passphrase was not given.`, { cause, hint: 'sign something by hand once, so that the agent remembers: echo | gpg --sign -o /dev/null; where there is no terminal, use a key without a passphrase' });
  }
  return new GitsyncError('signing', `The key ${key} did not sign.`, { cause, hint: `echo test | gpg --local-user ${keys[0] ?? ''} --detach-sign -o /dev/null` });
}

/**
 * The public key in the smallest form that still verifies everything.
 * @throws GitsyncError `signing` when gpg does not know it.
 */
export async function exportKey(key: string, gpg: Gpg = {}): Promise<Buffer> {
  const result = await runGpg(gpg, ['--export-options', 'export-minimal,no-export-attributes', '--export', '--', key]);
  if (result.exitCode !== 0 || result.stdout.length === 0) throw new GitsyncError('signing', `gpg does not know the key ${key}.`, { cause: new Error(wordsOf(result.stderr)), hint: 'gpg --list-keys' });
  return result.stdout;
}

/** A key that can sign here. */
export interface SecretKey {
  fingerprint: string;
  userId: string;
  expires: Date | undefined;
}

/** The secret keys that can sign now: not expired, not revoked, not disabled. */
export async function listSecretKeys(gpg: Gpg = {}, pattern?: string): Promise<SecretKey[]> {
  const result = await runGpg(gpg, ['--with-colons', '--list-secret-keys', ...(pattern === undefined ? [] : ['--', pattern])]);
  const keys: (SecretKey & { usable: boolean })[] = [];
  let wantsFingerprint = false;
  for (const line of result.stdout.toString('utf8').split('\n')) {
    const fields = line.split(':');
    if (fields[0] === 'sec') {
      keys.push({ fingerprint: '', userId: '', expires: fields[6] ? new Date(Number(fields[6]) * 1000) : undefined, usable: !/[rei]/.test(fields[1] ?? '') && /[S]/.test(fields[11] ?? '') && !/D/.test(fields[11] ?? '') });
      wantsFingerprint = true;
    }
    const last = keys.at(-1);
    if (last === undefined) continue;
    if (fields[0] === 'fpr' && wantsFingerprint) {
      last.fingerprint = fields[9] ?? '';
      wantsFingerprint = false;
    }
    if (fields[0] === 'uid' && last.userId === '') last.userId = (fields[9] ?? '').replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return keys.flatMap(({ usable, ...key }) => (usable ? [key] : []));
}

/**
 * Makes an ed25519 key that only signs, in the form that gpg 2.2 reads too.
 * @param protection `ask`: gpg's agent asks for a passphrase; `none`: there is none, so that an agent can sign by itself.
 * @returns its fingerprint
 */
export async function generateKey(userId: string, protection: 'ask' | 'none', gpg: Gpg = {}): Promise<string> {
  const secret = protection === 'none' ? ['--pinentry-mode', 'loopback', '--passphrase', ''] : [];
  const result = await runGpg(gpg, [...secret, '--quick-generate-key', userId, 'ed25519', 'sign', 'never']);
  const fingerprint = result.status.map((line) => /^KEY_CREATED P ([0-9A-F]{40})/.exec(line)?.[1]).find((found) => found !== undefined);
  if (result.exitCode !== 0 || fingerprint === undefined) throw new GitsyncError('signing', `gpg made no key for ${userId}.`, { cause: new Error(wordsOf(result.stderr)), hint: `gpg --quick-generate-key ${JSON.stringify(userId)} ed25519 sign never` });
  return fingerprint;
}
