/**
 * Logging: a fixed sentence, then fields (`Pushed repo=wiki commits=2 ms=412`).
 * Everything goes to standard error, since standard output belongs to answers
 * (and, in a remote helper, to git).
 */
import type { LogLine, WriterOptions } from './log-writer.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Record<string, string | number | boolean | undefined>;

/** The four levels, each taking a fixed sentence and fields. */
export type Log = Record<LogLevel, (sentence: string, fields?: LogFields) => void>;

/** Hides the user part and password of URLs: `https://me:pw@host` -> `https://***@host`. */
export function maskCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)([^/\s@:]+(?::[^/\s@]*)?)@/gi, (whole, scheme: string, user: string) =>
    scheme.startsWith('ssh') && !user.includes(':') ? whole : `${scheme}***@`,
  );
}

/** Makes text from outside safe for a terminal and a log line: control characters become escapes. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    if (c === '\n') return '\\n';
    if (c === '\t') return '\\t';
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function formatFields(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const text = printable(maskCredentials(String(value)));
      return ` ${key}=${/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text}`;
    })
    .join('');
}

/** One log line without its time: the sentence and its fields. */
export function formatLine(sentence: string, fields: LogFields = {}): string {
  return printable(maskCredentials(sentence)) + formatFields(fields);
}

const levels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** The loading of writers that lines wait for. */
const loading: Promise<void>[] = [];

/** Makes the process's log. What it writes with is loaded with the first line; `level` may be changed at any time. */
export function createLog(options: { level: LogLevel } & WriterOptions): Log {
  const waiting: LogLine[] = [];
  let write: ((line: LogLine) => void) | undefined;
  const load = async (): Promise<void> => {
    const { createWriter } = await import('./log-writer.ts');
    write = createWriter(options);
    waiting.splice(0).forEach(write);
  };
  const logAt = (level: LogLevel) => (sentence: string, fields: LogFields = {}) => {
    if (levels.indexOf(level) > levels.indexOf(options.level)) return;
    const line = { level, sentence, fields, timestamp: new Date().toISOString() };
    if (write !== undefined) return write(line);
    if (waiting.push(line) === 1) loading.push(load());
  };
  return { error: logAt('error'), warn: logAt('warn'), info: logAt('info'), debug: logAt('debug') };
}

/** Resolves when every line that was logged is on its way to its stream. */
export async function flushLogs(): Promise<void> {
  await Promise.all(loading);
}

/** A log that says nothing, for callers that report by themselves. */
export const silentLog: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** A log that adds the same fields (the repository, say) to every line. */
export function withFields(log: Log, fixed: LogFields): Log {
  const add = (level: LogLevel) => (sentence: string, fields?: LogFields) => log[level](sentence, { ...fixed, ...fields });
  return { error: add('error'), warn: add('warn'), info: add('info'), debug: add('debug') };
}
