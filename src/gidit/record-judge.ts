/** Decides which records this node keeps for the cloud: signed, bound to their place, never older than what is there, and not too many of one key. */
import { createHash } from 'node:crypto';
import { recordKey } from './address.ts';
import type { RecordJudge } from './engine.ts';
import { Refusal } from './refusal.ts';
import type { Verified } from './verify.ts';
import { decodeWire } from './wire.ts';

/** Places of the table that one OpenPGP key may fill on one node. */
export const recordsPerKey = 200;
/** Messages whose signature was just checked. */
const rememberedChecks = 2_000;

interface Seen {
  fingerprint: string;
}

/**
 * Makes the judge.
 * @param verify checks a message with its signature.
 * @param onVerified sees every good message that passes by: the newest may be of a project that we follow, and two of one number are the evidence of a fork.
 */
export function createRecordJudge(verify: (message: Uint8Array) => Promise<Verified>, onVerified: (verified: Verified) => void = () => undefined, limits: { recordsPerKey: number } = { recordsPerKey }): RecordJudge {
  const checked = new Map<string, Seen>();
  /** Which places each key fills. */
  const places = new Map<string, Set<string>>();
  const digestOf = (value: Uint8Array): string => createHash('sha256').update(value).digest('base64');
  return {
    async check(key, value) {
      const digest = `${key} ${digestOf(value)}`;
      if (checked.has(digest)) return;
      const verified = await verify(value);
      if (recordKey(verified.address) !== key) throw new Refusal('binding', 'A record lies under the key of another project.');
      checked.set(digest, { fingerprint: verified.address.fingerprint });
      if (checked.size > rememberedChecks) checked.delete(checked.keys().next().value as string);
      onVerified(verified);
    },
    choose: (_key, values) => newestOf(values),
    admit(key, next, current) {
      const seen = checked.get(`${key} ${digestOf(next)}`);
      if (seen === undefined) throw new Refusal('signature', 'A record was not checked.');
      if (current !== undefined) refuseRollback(next, current);
      const filled = places.get(seen.fingerprint) ?? new Set();
      if (!filled.has(key) && filled.size >= limits.recordsPerKey) throw new Refusal('quota', `This node keeps at most ${limits.recordsPerKey} records of one key.`);
      places.set(seen.fingerprint, filled.add(key));
    },
  };
}

function refuseRollback(next: Uint8Array, current: Uint8Array): void {
  const [incoming, known] = [next, current].map((value) => decodeWire(value).pushObject);
  const [incomingSeq, knownSeq] = [incoming?.chain?.seq ?? 0n, known?.chain?.seq ?? 0n];
  if (incomingSeq < knownSeq) throw new Refusal('rollback', `A record with number ${incomingSeq} came after number ${knownSeq}.`);
  if (incomingSeq === knownSeq && incoming?.id !== known?.id) throw new Refusal('chain', `There is another record with number ${knownSeq}.`);
}

/** The highest number; of two with the same number the lower id, so that all nodes choose alike. */
function newestOf(values: readonly Uint8Array[]): number {
  const objects = values.map((value) => decodeWire(value).pushObject);
  return objects.reduce((best, object, index) => {
    const [a, b] = [object, objects[best] as typeof object];
    const isNewer = (a.chain?.seq ?? 0n) > (b.chain?.seq ?? 0n) || (a.chain?.seq === b.chain?.seq && a.id < b.id);
    return isNewer ? index : best;
  }, 0);
}
