/** What gitted and gitted-client say when something goes wrong, and what it means for whoever pushed or fetched. Pure. */

export interface ContainerWords {
  /**
   * - `changed`: the live state moved on while we pushed: fetch and push again
   * - `locked`: somebody else is at work inside
   * - `stopped`, `absent`: there is no running machine
   * - `refused`: what was pushed could not be made live; nothing was changed
   * - `failed`: anything else that they say
   */
  kind: 'changed' | 'locked' | 'stopped' | 'absent' | 'refused' | 'failed';
  sentence: string;
  hint: string | undefined;
}

/** git's own, and what only shows that something goes on: phases, details (seven spaces) and progress. */
const noise = /^(?:-----> |=====> |\s{4,}|To |From |fatal: |error: |hint: |!|Done$|Enumerating|Counting|Compressing|Receiving|Writing|Resolving|Checking|Unpacking|Delta |Total |Updating|Everything up-to-date|Branch |\* |warning: |Please make sure you have |and the repository exists)/;

const maxSentenceLength = 600;

/** The lines of both ends: what comes through git bears `remote: `. */
function linesOf(stderr: string): string[] {
  // Padding that git writes behind a line to clear a progress bar, and colours of programs inside.
  return stderr.split(/[\r\n]+/).map((line) => line.replace(/^remote: ?/, '').replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').trimEnd());
}

function kindOf(text: string): ContainerWords['kind'] {
  if (/The container changed while you pushed/.test(text)) return 'changed';
  if (/Someone else is at work in |Gave up waiting \(/.test(text)) return 'locked';
  if (/^Error: \S+ is stopped\.$/m.test(text)) return 'stopped';
  if (/^Error: There is no machine \S+ yet\.$/m.test(text)) return 'absent';
  return /pre-receive hook declined/.test(text) ? 'refused' : 'failed';
}

/** Reads what a git command that failed has said (with `push --porcelain`, standard output too); undefined when neither of them said anything. */
export function readContainerWords(stderr: string): ContainerWords | undefined {
  const lines = linesOf(stderr);
  const text = lines.join('\n');
  const isRefused = /pre-receive hook declined/.test(text);
  if (!isRefused && !lines.some((line) => line.startsWith('Error: '))) return undefined;
  const hint = lines.find((line) => line.startsWith('Hint: '))?.slice('Hint: '.length);
  const telling = lines.filter((line) => line !== '' && !noise.test(line) && !line.startsWith('Hint: '));
  const first = telling.findIndex((line) => line.startsWith('Error: '));
  // Before the first error stand the lines of the handler that say where; behind it what it means.
  const from = Math.max(0, first - 3);
  const sentence = telling.slice(from, from + 6).map((line) => line.replace(/^Error: /, '')).join(' ').slice(0, maxSentenceLength);
  return { kind: kindOf(text), sentence: sentence === '' ? 'The container refused it.' : sentence, hint };
}
