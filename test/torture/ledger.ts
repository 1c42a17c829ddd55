/**
 * Knows every version that a person wrote. A version must be found in the end
 * unless the person replaced or deleted it themselves (it still lay there) before
 * it was known to be saved.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';

export interface Version {
  oid: string;
  machine: string;
  path: string;
  /** What the person did to write it. */
  action: string;
  /** Milliseconds since the start of the run. */
  atMs: number;
  /** The person has rewritten history since: a reflog is where it may be. */
  rewritten: boolean;
}

/** The id that git gives a file with this content. */
export function blobId(content: Buffer | string): string {
  const bytes = Buffer.from(content as string);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** The id of what lies at a path, if a file or a symbolic link does. */
export function blobAt(file: string): string | undefined {
  try {
    const info = lstatSync(file);
    if (info.isSymbolicLink()) return blobId(readlinkSync(file));
    return info.isFile() ? blobId(readFileSync(file)) : undefined;
  } catch {
    return undefined;
  }
}

export interface Ledger {
  wrote(machine: string, path: string, content: Buffer | string, action: string): void;
  /** The person replaced or deleted what they had written at a path, or below it. */
  gone(machine: string, path: string): void;
  moved(machine: string, from: string, to: string): void;
  /** The person let their own git replace whatever it likes. */
  goneAll(machine: string): void;
  /** Versions that nobody but the agent could have replaced since. */
  live(machine: string): Version[];
  /** These are known to be saved: from now on they must never be lost. */
  secure(versions: readonly Version[]): void;
  /** The person rewrites history on this machine. */
  rewrite(machine: string): void;
  /** Everything that must be found. */
  owed(): Version[];
  counts(): { written: number; owed: number };
}

/** @param lookAt the id of what lies at a path of a machine now */
export function createLedger(startedAtMs: number, lookAt: (machine: string, path: string) => string | undefined): Ledger {
  const live = new Map<string, Map<string, Version>>();
  const secured = new Map<string, Version>();
  let written = 0;
  const on = (machine: string): Map<string, Version> => {
    const known = live.get(machine) ?? new Map<string, Version>();
    live.set(machine, known);
    return known;
  };
  const within = (machine: string, path: string): string[] => [...on(machine).keys()].filter((known) => known === path || known.startsWith(`${path}/`));
  const owed = (): Version[] => [...new Map([...secured, ...[...live.values()].flatMap((versions) => [...versions.values()].map((version) => [version.oid, version] as const))]).values()];
  /** What is no longer there was replaced by the agent, which must have saved it. */
  const release = (machine: string, path: string): void => {
    const version = on(machine).get(path);
    if (version !== undefined && lookAt(machine, path) !== version.oid) secured.set(version.oid, version);
    on(machine).delete(path);
  };
  return {
    wrote(machine, path, content, action) {
      written += 1;
      on(machine).set(path, { oid: blobId(content), machine, path, action, atMs: Date.now() - startedAtMs, rewritten: false });
    },
    gone(machine, path) {
      for (const known of within(machine, path)) release(machine, known);
    },
    moved(machine, from, to) {
      for (const known of within(machine, to)) release(machine, known);
      for (const known of within(machine, from)) {
        const version = on(machine).get(known) as Version;
        on(machine).delete(known);
        on(machine).set(to + known.slice(from.length), version);
      }
    },
    goneAll(machine) {
      for (const known of [...on(machine).keys()]) release(machine, known);
    },
    live: (machine) => [...on(machine).values()],
    secure(versions) {
      for (const version of versions) secured.set(version.oid, version);
    },
    rewrite(machine) {
      for (const version of [...secured.values(), ...on(machine).values()]) if (version.machine === machine) version.rewritten = true;
    },
    owed,
    counts: () => ({ written, owed: owed().length }),
  };
}
