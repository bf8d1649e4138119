// The logging options of every program: level, format and file.

import { InvalidArgumentError } from 'commander'
import { type LogLevel, logFormats, logLevels } from '../telemetry/logLevel.ts'
import type { LoggingOptions } from '../telemetry/programLog.ts'
import { CommandError } from './commandError.ts'
import type { CommandOption } from './commandOptions.ts'
import { duration, sizeInBytes } from './optionValues.ts'

/** `detail` says what holds without the option, unless it has a default. */
export function logLevelOption(detail?: string, standard?: LogLevel): CommandOption {
  return {
    flags: '--log-level <level>',
    doc: `least level that is logged${detail ? ` (${detail})` : ''}`,
    choices: logLevels,
    default: standard,
  }
}

/** All logging options but the level, whose default differs between programs. */
export const logOutputOptions: readonly CommandOption[] = [
  {
    flags: '--log-format <format>',
    doc: 'auto (pretty on a terminal, JSON elsewhere), pretty or json',
    choices: logFormats,
  },
  { flags: '--log-file <file>', doc: 'log to this file instead of standard error' },
  {
    flags: '--log-file-size <size>',
    doc: 'size at which a new log file begins: 10m, 1g; 0 for any size (default: 100m)',
    parse: sizeInBytes,
  },
  {
    flags: '--log-file-age <time>',
    doc: 'age at which a new log file begins: 12h, 7d (default: any age)',
    parse: duration,
  },
  {
    flags: '--log-files <number>',
    doc: 'number of older log files to keep, the newest of which is FILE.1 (default: 5)',
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
  if (lone) throw new CommandError(`${lone[0]} needs --log-file FILE: there is no file without it`)
}

/** Extracts the logging options. */
export function loggingOf(options: LoggingOptions): LoggingOptions {
  const { logLevel, logFormat, logFile, logFileSize, logFileAge, logFiles } = options
  return { logLevel, logFormat, logFile, logFileSize, logFileAge, logFiles }
}

const mostFiles = 1000

function count(text: string): number {
  const value = Number(text)
  if (/^\d{1,4}$/.test(text) && value <= mostFiles) return value
  throw new InvalidArgumentError(`give an integer from 0 to ${mostFiles}.`)
}
