/** Finishing, or taking back, an update that a crash interrupted. */
import { readdirSync } from 'node:fs';
import type { ConflictRule } from '../core/conflict-rule.ts';
import { GitsyncError } from '../errors.ts';
import type { Update, UpdateOptions } from './apply-context.ts';
import { moveBranch, settleIndexes, undoMoves } from './apply-finish.ts';
import { closeUpdateDir, listUpdateDirs, readJournal, removeUpdateDir, stateOf, trashOf, type Journal } from './apply-journal.ts';
import { resumeRounds } from './apply-rounds.ts';
import type { Repo } from './git.ts';
import { lockIndex, type IndexLock } from './index-lock.ts';
import type { PrivateIndex } from './private-index.ts';
import { resolveCommit } from './refs.ts';
import { readHead } from './repository.ts';
import { clearStaleLocks } from './stale-locks.ts';

/** The state of an update as its journal has it. */
export function openUpdate(repo: Repo, index: PrivateIndex, rules: readonly ConflictRule[], directory: string, journal: Journal, options: UpdateOptions): Update {
  return {
    repo,
    index,
    rules,
    options,
    directory,
    journal,
    keep: new Set(journal.keep),
    beliefs: new Map(),
    original: new Map(),
    blocked: new Map(journal.blocked.map(({ path, why }) => [path, why])),
    bases: new Map(journal.blocked.flatMap(({ path, base }) => (base === undefined ? [] : [[path, base] as const]))),
    unseen: new Set(),
    conflicts: [],
    changed: new Set(),
  };
}

/**
 * Finishes an interrupted update, or takes it back where HEAD or the person's
 * index is elsewhere by now. To be called before anything else is done with
 * the work tree.
 * @throws GitsyncError `locked` while another git holds `index.lock`.
 */
export async function recoverApply(repo: Repo, index: PrivateIndex, rules: readonly ConflictRule[], options: UpdateOptions = {}): Promise<'nothing' | 'finished' | 'undone'> {
  let outcome: 'nothing' | 'finished' | 'undone' = 'nothing';
  for (const directory of await listUpdateDirs(repo, 'unborn')) await removeUnborn(repo, directory);
  for (const directory of await listUpdateDirs(repo, 'open', 'undo')) {
    const journal = await readJournal(directory);
    await clearStaleLocks(repo);
    const lock = await lockIndex(repo, journal.from ?? '');
    if (lock === 'held') throw new GitsyncError('locked', 'An interrupted update cannot be finished while another git process works here.', { hint: 'it is tried again by itself' });
    try {
      outcome = await recoverOne(openUpdate(repo, index, rules, directory, journal, options), lock);
    } finally {
      await lock.release();
    }
  }
  return outcome;
}

/** Without a journal no file was ever moved. */
async function removeUnborn(repo: Repo, directory: string): Promise<void> {
  if (readdirSync(directory).includes('trash') && readdirSync(trashOf(directory)).length > 0) {
    repo.log.warn('An update left files behind, but its journal is gone', { directory });
    return;
  }
  await removeUpdateDir(directory);
}

async function recoverOne(update: Update, lock: IndexLock): Promise<'finished' | 'undone'> {
  const { repo, index, journal, directory } = update;
  const head = await readHead(repo);
  const isAt = (commit: string | null): boolean => head.ref === journal.ref && head.operation === undefined && (head.commit ?? null) === commit;
  if (stateOf(directory) === 'undo') {
    await undoMoves(update, head.commit);
    return 'undone';
  }
  if (isAt(journal.from) && (await index.seed(head.commit)) === 'clean') {
    await resumeRounds(update);
    if ((await moveBranch(update)) === 'done') {
      await settleIndexes(update, lock);
      return 'finished';
    }
  } else if (isAt(journal.to)) {
    // The branch had moved already; the index may have, or may still be where it was.
    const isOurs = (await index.seed(journal.to)) === 'clean' || (await index.seed(journal.from ?? undefined)) === 'clean';
    if (isOurs) await settleIndexes(update, lock);
    else await closeUpdateDir(directory);
    return 'finished';
  }
  await undoMoves(update, await resolveCommit(repo, 'HEAD'));
  return 'undone';
}
