/** Commits that every machine makes alike: same tree, parents, message, people and dates, so the same id. */
import { gitText, type Repo } from './git.ts';

/** A person who signs a commit. */
export interface Person {
  name: string;
  email: string;
}

const gitsync: Person = { name: 'gitsync', email: 'gitsync@localhost' };

export interface FixedCommit {
  tree: string;
  parents: readonly string[];
  message: string;
  /** When it was committed; seconds since 1970, always written as +0000. */
  dateSeconds: number;
  /** Whose work it is, where that is not ours. */
  author?: Person & { dateSeconds: number };
}

/** git refuses names of punctuation only. */
function isUsable({ name, email }: Person): boolean {
  return /[^\s.,:;<>"\\']/.test(name) && email !== '';
}

/** Writes the commit object; moves nothing, is never signed and runs no hook. */
export async function writeFixedCommit(repo: Repo, commit: FixedCommit): Promise<string> {
  const author = commit.author !== undefined && isUsable(commit.author) ? commit.author : { ...gitsync, dateSeconds: commit.dateSeconds };
  return gitText(repo, ['commit-tree', commit.tree, ...commit.parents.flatMap((parent) => ['-p', parent])], {
    input: commit.message,
    config: ['i18n.commitEncoding=UTF-8'],
    env: {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: `@${author.dateSeconds} +0000`,
      GIT_COMMITTER_NAME: gitsync.name,
      GIT_COMMITTER_EMAIL: gitsync.email,
      GIT_COMMITTER_DATE: `@${commit.dateSeconds} +0000`,
    },
  });
}
