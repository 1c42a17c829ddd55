/** What a peer sent and we did not take, with a reason that programs can tell apart. */
import { GitsyncError } from '../errors.ts';

/** Which rule was broken. */
export type RefusalReason =
  | 'size' // larger than the format allows
  | 'format' // not byte for byte what the format says
  | 'binding' // signed for another project or by another key
  | 'key' // no usable OpenPGP key, or not the one that was seen first
  | 'signature' // the signature is not by this key over these bytes
  | 'expired' // the key had expired when it signed
  | 'revoked' // the key was revoked
  | 'time' // signed in the future
  | 'chain' // sequence number and predecessor do not fit together
  | 'rollback' // older than what was seen before
  | 'legacy' // an object of 2009 where only bound ones are taken
  | 'tips' // a bundle brings other refs than were signed
  | 'objects' // a pack that git refuses, or that does not connect
  | 'quota' // more than is kept for this key or on this node
  | 'store'; // the store on disk was tampered with

/** A refusal; kind `refused`. */
export class Refusal extends GitsyncError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, sentence: string, options: { hint?: string; cause?: unknown } = {}) {
    super('refused', sentence, options);
    this.name = 'Refusal';
    this.reason = reason;
  }
}
