/** How long and how large anything may be that another node sends. */

export interface StreamLimits {
  /** For the first word of an answer, and for each short message. */
  answerMs: number;
  /** For one chunk of a bundle (1 MiB): 52 KB/s is the slowest that is waited for. */
  chunkMs: number;
  /** For a whole list of PushObjects. */
  listMs: number;
  maxListBytes: number;
  maxListObjects: number;
  maxOffers: number;
  maxBundleBytes: number;
}

export const streamLimits: StreamLimits = {
  answerMs: 5_000,
  chunkMs: 20_000,
  listMs: 30_000,
  maxListBytes: 32 * 1024 * 1024,
  maxListObjects: 50_000,
  maxOffers: 10_000,
  maxBundleBytes: 500 * 1024 * 1024,
};
