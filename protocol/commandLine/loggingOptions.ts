// The logging options of every program: level, format and file.

import { InvalidArgumentError, Option } from 'commander'
import { logFormats, logLevels } from '../telemetry/logLevel.ts'
import type { LoggingOptions } from '../telemetry/programLog.ts'
import { CommandError } from './commandError.ts'
import { duration, sizeInBytes } from './optionValues.ts'

/** `detail` describes the default, if it is not the option's own. */
export function logLevelOption(detail?: string): Option {
  const description = `least level that is logged${detail ? ` (${detail})` : ''}`
  return new Option('--log-level <level>', description).choices(logLevels)
}

/** All options except the level, whose default differs between programs. */
export function logOutputOptions(): Option[] {
  return [
    new Option(
      '--log-format <format>',
      'auto (pretty on a terminal, JSON elsewhere), pretty or json',
    ).choices(logFormats),
    new Option('--log-file <file>', 'log to this file in place of standard error'),
    new Option(
      '--log-file-size <size>',
      'size at which a new log file begins: 10m, 1g; 0 for any size (default: 100m)',
    ).argParser(sizeInBytes),
    new Option(
      '--log-file-age <time>',
      'age at which a new log file begins: 12h, 7d (default: any age)',
    ).argParser(duration),
    new Option(
      '--log-files <number>',
      'older log files that are kept, FILE.1 being the newest (default: 5)',
    ).argParser(count),
  ]
}

/** Names of these options, for programs that parse their arguments themselves. */
export const loggingOptionNames: readonly string[] = [
  'log-level',
  ...logOutputOptions().map(({ long }) => long!.slice(2)),
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
  throw new InvalidArgumentError(`give a whole number from 0 to ${mostFiles}.`)
}
