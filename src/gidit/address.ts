/** Where a project is found: `FINGERPRINT/PROJECT`, and what is computed from it. */
import { createHash } from 'node:crypto';
import { GitsyncError } from '../errors.ts';
import { checkProjectName } from './project-name.ts';

/** Somebody's project. The fingerprint is the primary key's, in upper case as gpg prints it. */
export interface Address {
  fingerprint: string;
  project: string;
}

/** Whether this is a fingerprint of an OpenPGP key (version 4: 40 digits; version 6: 64) in upper case. */
export function isFingerprint(text: string): boolean {
  return /^([0-9A-F]{40}|[0-9A-F]{64})$/.test(text);
}

/** A fingerprint as people paste it (any case, spaces between, `0x` before), or undefined. */
export function parseFingerprint(text: string): string | undefined {
  const plain = text.trim().replace(/^0x/i, '').replace(/ +/g, '').toUpperCase();
  return isFingerprint(plain) ? plain : undefined;
}

/**
 * Reads `FPR/PROJECT`, `gidit::FPR/PROJECT`, `gidit::PROJECT` and `PROJECT`.
 * @param ownFingerprint what a bare project name belongs to.
 * @throws GitsyncError `usage`
 */
export function parseAddress(text: string, ownFingerprint?: string): Address {
  const plain = text.replace(/^gidit::/, '').replace(/\/+$/, '');
  const slash = plain.indexOf('/');
  if (slash < 0) {
    if (ownFingerprint === undefined) throw new GitsyncError('usage', `${JSON.stringify(text)} names no key.`, { hint: 'git gidit init, for projects of your own; else gidit::FINGERPRINT/PROJECT' });
    return { fingerprint: ownFingerprint, project: checkProjectName(plain) };
  }
  const fingerprint = parseFingerprint(plain.slice(0, slash));
  if (fingerprint === undefined) throw new GitsyncError('usage', `${JSON.stringify(plain.slice(0, slash))} is not the fingerprint of a key.`, { hint: 'gpg --fingerprint prints them: 40 hexadecimal digits' });
  return { fingerprint, project: checkProjectName(plain.slice(slash + 1)) };
}

/** `FPR/PROJECT`. */
export function formatAddress({ fingerprint, project }: Address): string {
  return `${fingerprint}/${project}`;
}

/** The id on the line `refs/gidit/project`, which ties a PushObject to key and project. */
export function projectId({ fingerprint, project }: Address): string {
  return createHash('sha1').update(`gidit project\n${fingerprint}\n${project}`).digest('hex');
}

/** Under which key the table keeps the newest PushObject of a project. */
export function recordKey({ fingerprint, project }: Address): string {
  return `/gidit/${createHash('sha256').update(`gidit po\0${fingerprint}\0${project}`).digest('hex')}`;
}
