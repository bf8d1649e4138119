// The logging options of every program: level, format and file.

import { InvalidArgumentError } from 'commander'
import { type LogLevel, logFormats, logLevels } from '../telemetry/logging/logLevel.ts'
import type { LoggingOptions } from '../telemetry/logging/programLog.ts'
import { CommandError } from './commandError.ts'
import type { CommandOption } from './commandOptions.ts'
import { duration, sizeInBytes } from './optionValues.ts'

/**
 * Returns the option for the log level. `detail` documents the default when `standard` is not
 * given.
 */
export function logLevelOption(detail?: string, standard?: LogLevel): CommandOption {
  return {
    flags: '--log-level <level>',
    doc: `minimum level of logged messages${detail ? ` (${detail})` : ''}`,
    choices: logLevels,
    default: standard,
  }
}

/** All logging options except the level, whose default differs between programs. */
export const logOutputOptions: readonly CommandOption[] = [
  {
    flags: '--log-format <format>',
    doc: 'log format: auto (pretty on a terminal, JSON elsewhere), pretty or json',
    choices: logFormats,
  },
  { flags: '--log-file <file>', doc: 'log file (default: standard error)' },
  {
    flags: '--log-file-size <size>',
    doc: 'size at which the log file is rotated: 10m, 1g; 0 for no limit (default: 100m)',
    parse: sizeInBytes,
  },
  {
    flags: '--log-file-age <time>',
    doc: 'age at which the log file is rotated: 12h, 7d (default: no limit)',
    parse: duration,
  },
  {
    flags: '--log-files <number>',
    doc: 'number of rotated log files to keep; FILE.1 is the newest (default: 5)',
    parse: count,
  },
]

/** Fails with a CommandError for options that have no effect without --log-file. */
export function requireLogFile(options: LoggingOptions): void {
  if (options.logFile !== undefined) return
  const { logFileSize, logFileAge, logFiles } = options
  const lone = Object.entries({
    '--log-file-size': logFileSize,
    '--log-file-age': logFileAge,
    '--log-files': logFiles,
  }).find(([, value]) => value !== undefined)
  if (lone)
    throw new CommandError(`${lone[0]} has no effect without --log-file: add --log-file FILE`)
}

/** Returns only the logging options of `options`. */
export function loggingOf(options: LoggingOptions): LoggingOptions {
  const { logLevel, logFormat, logFile, logFileSize, logFileAge, logFiles } = options
  return { logLevel, logFormat, logFile, logFileSize, logFileAge, logFiles }
}

const maxFiles = 1000

function count(text: string): number {
  const value = Number(text)
  if (/^\d{1,4}$/.test(text) && value <= maxFiles) return value
  throw new InvalidArgumentError(`expected an integer from 0 to ${maxFiles}.`)
}
