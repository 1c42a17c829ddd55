/** What the values of a [container NAME] section may look like. */
import { parseDuration } from '../core/duration.ts';
import { suggest } from './config-problem.ts';
import { choice, isCron, list, paths, scalar, type ValueType, type Verdict } from './value-types.ts';

export type PushWhen = { kind: 'debounce'; quietMs: number } | { kind: 'cron'; expression: string } | { kind: 'manual' };
export type PullWhen = { kind: 'every'; everyMs: number } | { kind: 'cron'; expression: string } | { kind: 'manual' };

const limits = { debounce: { min: '0s', max: '1d' }, every: { min: '1s', max: '7d' } } as const;

/** Reads `WORD REST`, with quotes around the rest allowed. */
function splitWhen(text: string): { word: string; rest: string } {
  const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(text.trim()) ?? [];
  return { word: word.toLowerCase(), rest: rest.replace(/^(["'])(.*)\1$/s, '$2').trim() };
}

function readInterval(word: keyof typeof limits, rest: string): Verdict<number> {
  const { min, max } = limits[word];
  const value = parseDuration(rest);
  if (value === undefined) {
    const withUnit = parseDuration(`${rest}s`) === undefined ? undefined : `did you mean "${word} ${rest}s"?`;
    return { wrong: rest === '' ? `${word} needs a time` : `"${rest}" is not a time`, hint: withUnit };
  }
  const isWithin = value >= (parseDuration(min) as number) && value <= (parseDuration(max) as number);
  return isWithin ? { value } : { wrong: `"${rest}" is not between ${min} and ${max}` };
}

function readWhen<T>(text: string, interval: keyof typeof limits, toValue: (ms: number) => T): Verdict<T | { kind: 'cron'; expression: string } | { kind: 'manual' }> {
  const { word, rest } = splitWhen(text);
  if (word === 'manual' && rest === '') return { value: { kind: 'manual' } };
  if (word === 'cron') return isCron(rest) ? { value: { kind: 'cron', expression: rest } } : { wrong: rest === '' ? 'cron needs an expression' : `"${rest}" is no schedule that ever comes`, hint: 'such as cron "*/10 * * * *"' };
  if (word === interval) {
    const verdict = readInterval(interval, rest);
    return 'value' in verdict ? { value: toValue(verdict.value) } : verdict;
  }
  const bare = parseDuration(text) === undefined ? undefined : `did you mean "${interval} ${text}"?`;
  return { wrong: `"${text}" says no time`, hint: bare ?? (isCron(text) ? `did you mean cron "${text}"?` : suggest(word, [interval, 'cron', 'manual'])) };
}

/** When commits go into a container. */
export const pushWhen: ValueType<PushWhen> = {
  placeholder: 'debounce TIME|cron "CRON"|manual',
  expected: 'debounce TIME (such as 5s), cron "EXPRESSION" or manual',
  mode: 'line',
  schema: scalar<PushWhen>((text) => readWhen<PushWhen>(text, 'debounce', (quietMs) => ({ kind: 'debounce', quietMs }))),
};

/** When changes inside a container are fetched. */
export const pullWhen: ValueType<PullWhen> = {
  placeholder: 'every TIME|cron "CRON"|manual',
  expected: 'every TIME (such as 5m), cron "EXPRESSION" or manual',
  mode: 'line',
  schema: scalar<PullWhen>((text) => readWhen<PullWhen>(text, 'every', (everyMs) => ({ kind: 'every', everyMs }))),
};

export type DriverKind = 'lxc' | 'ssh' | 'local';

/** What kind of container it is. */
export const driverKind: ValueType<DriverKind | undefined> = choice<DriverKind>(['lxc', 'ssh', 'local']);

/** Directories inside a container. */
export const exportPoints: ValueType<string[]> = {
  placeholder: 'PATH, ...',
  expected: 'absolute paths inside the container such as /var/www/uploads',
  mode: 'words',
  schema: list<string>((text) => {
    if (!text.startsWith('/')) return { wrong: `${JSON.stringify(text)} is not an absolute path`, hint: text.startsWith('~') ? 'a container has no home directory of yours' : `did you mean "/${text.replace(/^\.\//, '')}"?` };
    if (/\/\.\.?(\/|$)|\0/.test(text) || /^\/+$/.test(text)) return { wrong: `${JSON.stringify(text)} is not a directory that can be watched` };
    return { value: text.replace(/\/+/g, '/').replace(/\/$/, '') };
  }),
};

/** The path of one repository. */
export const repoPath: ValueType<string | undefined> = {
  placeholder: 'PATH',
  expected: 'the absolute path of a listed repository, or ~/...',
  mode: 'line',
  schema: scalar<string | undefined>((text) => {
    const result = paths.schema.safeParse([text]);
    return result.success ? { value: text } : { wrong: result.error.issues[0]?.message ?? 'not a path' };
  }),
};
