/** What to do with a path that changed on both sides in ways that do not fit together. */

/**
 * - `copies`: one side keeps the name, the other side's whole file goes beside it (default)
 * - `ours` / `theirs`: this machine's / the remote's version wins; the other stays in history
 * - `branch`: nothing is merged; our side is published as `gitsync/HOST/BRANCH`
 * - `pause`: nothing is merged until a person has done it
 */
export const conflictPolicies = ['copies', 'ours', 'theirs', 'branch', 'pause'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

/** A policy for the paths that match a glob (picomatch, dot files included); the last match wins. */
export interface ConflictRule {
  /** Undefined: every path. */
  glob: string | undefined;
  policy: ConflictPolicy;
}
