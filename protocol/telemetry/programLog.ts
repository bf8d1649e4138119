// The log of a program, as its command line asks for it: where lines go, how they look, and from which level
// on. A program has one, opened at its start; every part of it is handed the logger, or a child of it.

import { systemClock } from '../runtime/clock.ts'
import { RotatedFile } from '../runtime/rotatedFile.ts'
import { standardError, standardErrorTerminal } from '../runtime/standardStreams.ts'
import { jsonFormat, type LineFormat, prettyFormat } from './logFormat.ts'
import { type AdjustableLogger, lostLine, pinoLogger, standardErrorLines } from './logger.ts'
import type { LogFormat, LogLevel } from './logLevel.ts'
import { LogLines } from './logLines.ts'

export interface LoggingOptions {
  readonly logLevel?: LogLevel | undefined
  readonly logFormat?: LogFormat | undefined
  /** Lines go to this file in place of standard error. */
  readonly logFile?: string | undefined
  /** In bytes; 0 is no limit. */
  readonly logFileSize?: number | undefined
  /** In ms; 0 is no limit. */
  readonly logFileAge?: number | undefined
  /** Older files that are kept. */
  readonly logFiles?: number | undefined
}

export const defaultLogFileSize = 100 * 1024 * 1024
export const defaultLogFiles = 5

export interface ProgramLog {
  readonly logger: AdjustableLogger
  /** Where formatted lines go; counts those that were lost. */
  readonly lines: LogLines
  /** Takes JSON lines of other threads. */
  readonly destination: { write(line: string): void }
}

export class LogFileError extends Error {
  readonly code = 'LOG_FILE'
}

/**
 * Opens the log. Fails with a LogFileError when the file cannot be opened, which is a mistake of whoever
 * started the program; a file that cannot be written later ends nothing.
 */
export async function openLog(options: LoggingOptions, usualLevel: LogLevel): Promise<ProgramLog> {
  const format = await formatOf(options)
  let report = (_message: string) => {}
  const lines = new LogLines({
    output:
      options.logFile === undefined
        ? standardError
        : openFile(options, options.logFile, (message) => report(message)),
    lostLine: (count, reason) => format(lostLine(count, reason)),
  })
  const destination = { write: (line: string) => lines.write(format(line)) }
  const logger = pinoLogger(options.logLevel ?? usualLevel, destination)
  // The file may be where nobody looks any more: removed with its directory.
  const seen = { write: (line: string) => standardErrorLines().write(format(line)) }
  const aside = pinoLogger('warn', seen)
  // Not within the write of another line.
  report = (message) =>
    standardError.later(0, () => {
      for (const each of [logger, aside]) each.warn({}, message)
    })
  return { logger, lines, destination }
}

async function formatOf({ logFormat = 'auto', logFile }: LoggingOptions): Promise<LineFormat> {
  const { isTerminal, color } = standardErrorTerminal()
  const isSeen = logFile === undefined && isTerminal
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && isSeen)
  return isPretty ? await prettyFormat(isSeen && color) : jsonFormat
}

function openFile(
  options: LoggingOptions,
  path: string,
  onTrouble: (message: string) => void,
): RotatedFile {
  const { logFileSize, logFileAge, logFiles } = options
  try {
    return new RotatedFile({
      path,
      maxBytes: logFileSize ?? defaultLogFileSize,
      maxAgeMs: logFileAge ?? 0,
      keptFiles: logFiles ?? defaultLogFiles,
      nowMs: systemClock.nowMs,
      process: standardError,
      onTrouble,
    })
  } catch (error) {
    const { message, code = '' } = error as NodeJS.ErrnoException
    const todo = todos[code] ?? 'give another one with --log-file'
    throw new LogFileError(`cannot open the log file ${path} (${message}): ${todo}`, {
      cause: error,
    })
  }
}

const todos: Readonly<Record<string, string>> = {
  ENOENT: 'create its directory, or give another one with --log-file',
  EISDIR: 'it is a directory; give the path of a file with --log-file',
  EACCES: 'let this user write it, or give another one with --log-file',
  ENXIO: 'it is a pipe that nobody reads; give the path of a file with --log-file',
}
