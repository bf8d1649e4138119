// The log of a program as configured on its command line: output, format and level. A program opens
// one at its start and passes the logger, or a child of it, to its components.

import { CodedError } from '../../runtime/codedError.ts'
import { RotatedFile } from '../../runtime/disk/rotatedFile.ts'
import { standardError, standardErrorTerminal } from '../../runtime/process/standardStreams.ts'
import { systemClock } from '../../runtime/time/clock.ts'
import { jsonFormat, type LineFormat, prettyFormat } from './logFormat.ts'
import { type AdjustableLogger, lostLine, pinoLogger, standardErrorLines } from './logger.ts'
import type { LogFormat, LogLevel } from './logLevel.ts'
import { LogLines } from './logLines.ts'

export interface LoggingOptions {
  readonly logLevel?: LogLevel | undefined
  readonly logFormat?: LogFormat | undefined
  /** Path of a log file; lines go there instead of standard error. */
  readonly logFile?: string | undefined
  /** Size in bytes at which the file is rotated; 0: never. */
  readonly logFileSize?: number | undefined
  /** Age in ms at which the file is rotated; 0: never. */
  readonly logFileAge?: number | undefined
  /** Number of rotated files to keep. */
  readonly logFiles?: number | undefined
}

export const defaultLogFileSize = 100 * 1024 * 1024
export const defaultLogFiles = 5

export interface ProgramLog {
  readonly logger: AdjustableLogger
  /** Output of formatted lines; counts lost lines. */
  readonly lines: LogLines
  /** Accepts JSON lines of other threads. */
  readonly destination: { write(line: string): void }
}

export class LogFileError extends CodedError<'LOG_FILE'> {
  constructor(message: string, cause?: unknown) {
    super('LOG_FILE', message, cause)
  }
}

/**
 * Opens the log. Fails with a LogFileError if the file cannot be opened, which is a configuration
 * mistake; a later write failure does not end the program.
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
  // The file may be invisible to operators: deleted with its directory.
  const seen = { write: (line: string) => standardErrorLines().write(format(line)) }
  const aside = pinoLogger('warn', seen)
  // Deferred: not within the write of another line.
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
    const todo = todos[code] ?? 'choose another file with --log-file'
    throw new LogFileError(`cannot open the log file ${path} (${message}): ${todo}`, {
      cause: error,
    })
  }
}

const todos: Readonly<Record<string, string>> = {
  ENOENT: 'create its directory, or choose another file with --log-file',
  EISDIR: 'it is a directory; give the path of a file with --log-file',
  EACCES: 'grant this user write access, or choose another file with --log-file',
  ENXIO: 'it is a pipe without a reader; give the path of a file with --log-file',
}
