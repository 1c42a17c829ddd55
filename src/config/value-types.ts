/** What values may look like, each kind checked with zod. */
import { validate as isSchedule } from 'node-cron';
import * as z from 'zod';
import { parseByteSize } from '../core/byte-size.ts';
import { conflictPolicies, type ConflictPolicy, type ConflictRule } from '../core/conflict-rule.ts';
import { parseDuration } from '../core/duration.ts';
import { suggest } from './config-problem.ts';
import { resolvePath } from './work-paths.ts';
import type { WordMode } from './words.ts';

export interface ValueType<T> {
  /** What stands for a value in the help: TIME, SIZE, yes|no. */
  placeholder: string;
  /** Goes on after "expected". */
  expected: string;
  mode: WordMode;
  /** From the words of the value to its meaning; an issue's path begins with the number of the word, its `params` may hold a hint. */
  schema: z.ZodType<T, string[]>;
}

/** The meaning of a word, or why it has none. */
export type Verdict<T> = { value: T } | { wrong: string; hint?: string | undefined };

function judge<T>(read: (text: string) => Verdict<T>): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const verdict = read(text);
    if ('value' in verdict) return verdict.value;
    context.issues.push({ code: 'custom', message: verdict.wrong, input: text, params: { hint: verdict.hint } });
    return z.NEVER;
  });
}

/** A value type's schema for one word. */
export const scalar = <T>(read: (text: string) => Verdict<T>): z.ZodType<T, string[]> => z.tuple([judge(read)]).transform(([value]) => value as T);
/** A value type's schema for a list whose words each have a meaning. */
export const list = <T>(read: (text: string) => Verdict<T>): z.ZodType<T[], string[]> => z.array(judge(read));
const show = (text: string): string => JSON.stringify(text);

/** A number with a unit, within limits that are written the same way; `unit` is the one that a bare number may have meant. */
function measure(options: { kind: string; units: string; unit: string; read: (text: string) => number | undefined; min: string; max: string }): ValueType<number> {
  const { kind, read } = options;
  const [min, max] = [read(options.min) ?? 0, read(options.max) ?? Infinity];
  return {
    placeholder: kind.toUpperCase(),
    expected: `a ${kind} from ${options.min} to ${options.max} (units: ${options.units})`,
    mode: 'line',
    schema: scalar<number>((text) => {
      const value = read(text);
      if (value === undefined) {
        const withUnit = `${text}${options.unit}`;
        return { wrong: `${show(text)} is not a ${kind}`, hint: read(withUnit) === undefined ? undefined : `did you mean "${withUnit}"?` };
      }
      return value >= min && value <= max ? { value } : { wrong: `${show(text)} is too ${value < min ? 'small' : 'large'}` };
    }),
  };
}

/** A length of time such as `0.3s`; the value is in milliseconds. */
export const duration = (min: string, max: string): ValueType<number> => measure({ kind: 'time', units: 'ms, s, m, h, d', unit: 's', read: parseDuration, min, max });

/** An amount of bytes such as `50MB`. */
export const byteSize = (min: string, max: string): ValueType<number> => measure({ kind: 'size', units: 'kB, MB, GB, KiB, MiB, GiB', unit: 'MB', read: parseByteSize, min, max });

/** Yes or no, in the ways that people write it. */
export const yesNo: ValueType<boolean> = {
  placeholder: 'yes|no',
  expected: 'yes or no',
  mode: 'line',
  schema: scalar<boolean>((text) => {
    if (/^(yes|true|on|1)$/i.test(text)) return { value: true };
    return /^(no|false|off|0)$/i.test(text) ? { value: false } : { wrong: `${show(text)} is neither yes nor no` };
  }),
};

/** One of a few words. */
export const choice = <T extends string>(words: readonly T[]): ValueType<T> => ({
  placeholder: words.join('|'),
  expected: `one of ${words.join(', ')}`,
  mode: 'line',
  schema: scalar<T>((text) => {
    const value = words.find((word) => word === text);
    return value === undefined ? { wrong: `${show(text)} is not known`, hint: suggest(text, words) } : { value };
  }),
});

/** Whether a cron expression can be understood and its time ever comes. */
export function isCron(text: string): boolean {
  // node-cron counts through every range, and takes minutes over 0-99999999: no field needs three digits.
  return text.length < 200 && !/\d{3}/.test(text) && isSchedule(text);
}

/** A cron expression; node-cron also takes a sixth field for seconds and names such as `@daily`. */
export const schedule: ValueType<string | undefined> = {
  placeholder: 'CRON',
  expected: 'a cron expression such as */15 * * * *',
  mode: 'line',
  schema: scalar((text) => (isCron(text) ? { value: text } : { wrong: `${show(text)} is no schedule that ever comes` })),
};

const badRefName = /^[-/.]|[\s~^:?*[\\\u0000-\u001f\u007f]|\.\.|@\{|\/\/|\/\.|[./]$|\.lock$|^$/;

/** A branch by its short name. */
export const branch: ValueType<string | undefined> = {
  placeholder: 'NAME',
  expected: 'the name of a branch such as main',
  mode: 'line',
  schema: scalar((text) => {
    if (text.startsWith('refs/heads/')) return { wrong: `${show(text)} is a full ref name`, hint: `did you mean "${text.slice(11)}"?` };
    return badRefName.test(text) ? { wrong: `${show(text)} cannot name a branch` } : { value: text };
  }),
};

/** Names of git remotes. */
export const remoteNames: ValueType<string[] | undefined> = {
  placeholder: 'NAME, ...',
  expected: 'names of git remotes such as origin',
  mode: 'words',
  schema: list<string>((text) => {
    const hint = /[:@]|^\//.test(text) ? 'give it a name first: git remote add NAME URL' : undefined;
    return badRefName.test(text) || hint !== undefined ? { wrong: `${show(text)} cannot name a remote`, hint } : { value: text };
  }),
};

/** What a commit message template may name. */
export const messagePlaceholders = ['host', 'summary', 'paths', 'date', 'branch'] as const;

/** A template for commit messages. */
export const messageTemplate: ValueType<string | undefined> = {
  placeholder: 'TEXT',
  expected: `text with any of ${messagePlaceholders.map((name) => `{${name}}`).join(' ')}`,
  mode: 'line',
  schema: scalar((text) => {
    const names = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
    const unknown = names.find((name) => !messagePlaceholders.some((known) => known === name));
    if (unknown !== undefined) return { wrong: `{${unknown}} is not a placeholder`, hint: suggest(unknown, messagePlaceholders)?.replace(/"(\w+)"/, '"{$1}"') };
    return text.trim() === '' || text.includes('\0') ? { wrong: 'the message would be empty' } : { value: text };
  }),
};

function readRule(text: string): Verdict<ConflictRule> {
  const equals = text.lastIndexOf('=');
  const name = text.slice(equals + 1).trim();
  const glob = equals < 0 ? undefined : text.slice(0, equals).trim();
  const policy = conflictPolicies.find((known) => known === name);
  if (policy === undefined) return { wrong: `${show(name)} is not a policy`, hint: suggest(name, conflictPolicies) };
  return glob === '' ? { wrong: `${show(text)} names no files` } : { value: { glob, policy } };
}

/** A policy and rules for globs; the value always begins with one rule for every path. */
export const conflictRules = (fallback: ConflictPolicy): ValueType<ConflictRule[]> => ({
  placeholder: 'POLICY, GLOB=POLICY, ...',
  expected: `a policy (${conflictPolicies.join(', ')}), then GLOB=POLICY rules`,
  mode: 'rules',
  schema: list(readRule).transform((rules, context) => {
    const general = rules.filter((rule) => rule.glob === undefined);
    if (general.length > 1) context.issues.push({ code: 'custom', message: 'two policies for every path', input: rules, path: [rules.indexOf(general[1] as ConflictRule)] });
    return [general[0] ?? { glob: undefined, policy: fallback }, ...rules.filter((rule) => rule.glob !== undefined)];
  }),
});

/** Directories: absolute or below the home directory (`~/x`), not yet expanded. */
export const paths: ValueType<string[]> = {
  placeholder: 'PATH, ...',
  expected: 'absolute paths or ~/..., with quotes around a path that has spaces',
  mode: 'words',
  schema: list<string>((text) => {
    if (resolvePath(text, '/') !== undefined) return { value: text };
    const hint = /^["']/.test(text) ? 'a quote is not closed' : /^\$HOME(?:\/|$)/.test(text) ? `did you mean "~${text.slice(5)}"?` : undefined;
    return { wrong: `${show(text)} is not an absolute path`, hint };
  }),
};
