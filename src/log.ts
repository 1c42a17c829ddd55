/**
 * Logging: a fixed sentence, then fields (`Pushed repo=wiki commits=2 ms=412`).
 * Everything goes to standard error, since standard output belongs to answers
 * (and, in a remote helper, to git).
 */
import winston from 'winston';

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

/**
 * Makes the process's log. Under journald (`JOURNAL_STREAM`) lines carry a
 * priority prefix (sd-daemon(3)) and no time, since the journal adds its own.
 */
export function createLog(options: { level: LogLevel; json?: boolean; stream?: NodeJS.WritableStream }): Log {
  const journald = process.env['JOURNAL_STREAM'] !== undefined;
  const priority: Record<string, string> = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' };
  const format = options.json
    ? winston.format.combine(winston.format.timestamp(), winston.format.json())
    : winston.format.printf(({ level, message }) =>
        journald ? `${priority[level] ?? ''}${String(message)}` : `${new Date().toISOString()} ${level.padEnd(5)} ${String(message)}`,
      );
  const logger = winston.createLogger({
    level: options.level,
    format,
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  const write = (level: LogLevel) => (sentence: string, fields: LogFields = {}) => {
    if (!logger.isLevelEnabled(level)) return;
    if (options.json) logger.log(level, maskCredentials(sentence), JSON.parse(maskCredentials(JSON.stringify(fields))) as LogFields);
    else logger.log(level, formatLine(sentence, fields));
  };
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
}

/** A log that says nothing, for callers that report by themselves. */
export const silentLog: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** A log that adds the same fields (the repository, say) to every line. */
export function withFields(log: Log, fixed: LogFields): Log {
  const add = (level: LogLevel) => (sentence: string, fields?: LogFields) => log[level](sentence, { ...fixed, ...fields });
  return { error: add('error'), warn: add('warn'), info: add('info'), debug: add('debug') };
}
