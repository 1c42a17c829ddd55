/** Looks for well-known token shapes in what a commit would add. */
import { readFileSync } from 'node:fs';
import { absoluteOf, type RawPath } from '../core/raw-path.ts';
import type { Held } from '../core/safety.ts';
import { secretInAddedLines } from '../core/secrets.ts';
import { git, type Repo } from './git.ts';
import type { Finding } from './scan.ts';

/** Larger files are data, not places where people paste tokens. */
const scanUpToBytes = 1024 * 1024;

function linesOf(bytes: Buffer): string[] {
  return bytes.includes(0) ? [] : bytes.toString('latin1').split('\n');
}

function readLines(repo: Repo, path: RawPath): string[] {
  try {
    return linesOf(readFileSync(absoluteOf(repo.workTree, path)));
  } catch {
    // Unreadable or gone: taking it will say so.
    return [];
  }
}

async function secretIn(repo: Repo, finding: Finding): Promise<string | undefined> {
  if (finding.kind === 'delete' || finding.sizeBytes > scanUpToBytes || !finding.stat?.isFile()) return undefined;
  const lines = readLines(repo, finding.path);
  const found = secretInAddedLines(lines);
  if (found === undefined || finding.old === null) return found?.rule;
  // The token may have been there before: only what this commit would add counts.
  const before = new Set(linesOf((await git(repo, ['cat-file', 'blob', finding.old.oid])).stdout));
  return secretInAddedLines(lines.filter((line) => !before.has(line)))?.rule;
}

/** Holds back the files whose added lines contain a secret. */
export async function holdSecretContent(repo: Repo, findings: readonly Finding[], allowed: ReadonlySet<RawPath>): Promise<{ go: Finding[]; held: Held[] }> {
  const go: Finding[] = [];
  const held: Held[] = [];
  for (const finding of findings) {
    const rule = allowed.has(finding.path) ? undefined : await secretIn(repo, finding);
    if (rule === undefined) go.push(finding);
    else held.push({ path: finding.path, reason: 'secret-content', detail: `contains what looks like a secret (${rule})` });
  }
  return { go, held };
}
