// The levels and formats of log lines. Apart from the logger, since a command line needs no more to be read.

/** Importance of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** In rising order of importance. */
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export function isLogLevel(value: unknown): value is LogLevel {
  return logLevels.includes(value as LogLevel)
}

/** The least level that is logged; setting it takes effect with the next line. */
export interface LogLevelControl {
  level: LogLevel
}

/** `auto` is pretty on a terminal, and JSON elsewhere. */
export type LogFormat = 'auto' | 'pretty' | 'json'

export const logFormats: readonly LogFormat[] = ['auto', 'pretty', 'json']
