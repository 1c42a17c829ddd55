/** What whoever fetches or pushes has to know of the key that a project is signed with. */
import type { KeyInfo } from './openpgp.ts';

/** An owner is reminded so long before. */
const soonMs = 30 * 24 * 3_600_000;

const dayOf = (date: Date | undefined): string => (date === undefined ? 'an unknown day' : date.toISOString().slice(0, 10));

/**
 * One sentence where the key is revoked, has expired, or (its owner is told) is about to; undefined where all is well.
 * @param name the project as people write it.
 */
export function describeKeyTrouble(key: Pick<KeyInfo, 'fingerprint' | 'expires' | 'revoked' | 'revokedAt'>, name: string, isOwn: boolean, now = new Date()): string | undefined {
  const { fingerprint, expires, revoked, revokedAt } = key;
  if (revoked === 'hard') {
    return `WARNING: the key of ${name} was revoked on ${dayOf(revokedAt)}, and somebody else may have it: nothing it signed counts any more. What is here stays as it was; ${isOwn ? 'publish with another key: git gidit init' : 'ask its owner for the new address'}.`;
  }
  if (revoked === 'soft') {
    return `the key of ${name} is no longer in use since ${dayOf(revokedAt)}: what it signed before counts, and nothing new comes. ${isOwn ? 'Publish with another key: git gidit init' : 'Ask its owner for the new address'}.`;
  }
  if (expires === undefined) return undefined;
  const extend = `gpg --quick-set-expire ${fingerprint} 2y, then push`;
  if (expires <= now) return `the key of ${name} expired on ${dayOf(expires)}: the project stands still until ${isOwn ? `you extend it: ${extend}` : 'its owner extends it'}.`;
  if (isOwn && expires.getTime() - now.getTime() < soonMs) return `your key expires on ${dayOf(expires)}, and nothing can be published then: ${extend}`;
  return undefined;
}
