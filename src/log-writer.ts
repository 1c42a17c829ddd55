/** Writes log lines with winston; loaded with the first line, since most commands log nothing. */
import winston from 'winston';
import { formatLine, maskCredentials, type LogFields, type LogLevel } from './log.ts';

export interface LogLine {
  level: LogLevel;
  sentence: string;
  fields: LogFields;
  /** ISO 8601. */
  timestamp: string;
}

export interface WriterOptions {
  json?: boolean;
  /** Default: standard error. */
  stream?: NodeJS.WritableStream;
}

/** sd-daemon(3). */
const priorities: Record<LogLevel, string> = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' };

/**
 * Makes the function that writes a line. Under journald (`JOURNAL_STREAM`) lines
 * carry a priority prefix and no time, since the journal adds its own.
 */
export function createWriter(options: WriterOptions): (line: LogLine) => void {
  const journald = process.env['JOURNAL_STREAM'] !== undefined;
  const logger = winston.createLogger({
    level: 'debug',
    format: options.json ? winston.format.json() : winston.format.printf(({ message }) => String(message)),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  return ({ level, sentence, fields, timestamp }) => {
    if (options.json) {
      logger.log(level, maskCredentials(sentence), { ...(JSON.parse(maskCredentials(JSON.stringify(fields))) as LogFields), timestamp });
      return;
    }
    const text = formatLine(sentence, fields);
    logger.log(level, journald ? `${priorities[level]}${text}` : `${timestamp} ${level.padEnd(5)} ${text}`);
  };
}
