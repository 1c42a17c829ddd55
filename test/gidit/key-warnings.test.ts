import { expect, test } from '@jest/globals';
import { describeKeyTrouble } from '../../src/gidit/key-warnings.ts';

const now = new Date('2026-06-01T00:00:00Z');
const good = { fingerprint: 'F'.repeat(40), expires: undefined, revoked: 'no' as const, revokedAt: undefined };
const say = (change: Partial<Parameters<typeof describeKeyTrouble>[0]>, isOwn = false): string | undefined => describeKeyTrouble({ ...good, ...change }, 'KEY/notes', isOwn, now);

test.each([
  ['nothing of a good key', {}, false, undefined],
  ['nothing of one that ends far away', { expires: new Date('2027-01-01') }, true, undefined],
  ['nothing to others of one that ends soon', { expires: new Date('2026-06-10') }, false, undefined],
  ['its owner that it ends soon', { expires: new Date('2026-06-10') }, true, /^your key expires on 2026-06-10.*gpg --quick-set-expire F{40} 2y/],
  ['that it has expired', { expires: new Date('2026-05-01') }, false, /^the key of KEY\/notes expired on 2026-05-01: the project stands still until its owner extends it\.$/],
  ['its owner how to go on', { expires: new Date('2026-05-01') }, true, /until you extend it: gpg --quick-set-expire/],
  ['that it was retired', { revoked: 'soft' as const, revokedAt: new Date('2026-05-02') }, false, /no longer in use since 2026-05-02: what it signed before counts/],
  ['that somebody else may have it', { revoked: 'hard' as const, revokedAt: new Date('2026-05-02') }, false, /^WARNING: .*nothing it signed counts any more/],
  ['the revocation rather than the expiry', { revoked: 'hard' as const, expires: new Date('2026-05-01') }, false, /revoked on an unknown day/],
] as const)('whoever fetches is told %s', (_, change, isOwn, wanted) => {
  if (wanted === undefined) expect(say(change, isOwn)).toBeUndefined();
  else expect(say(change, isOwn)).toMatch(wanted);
});
