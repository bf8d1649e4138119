// Levels and formats of log lines. Separate from the logger, so that parsing a command line does
// not load it.

/** Severity of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** In ascending order of severity. */
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export function isLogLevel(value: unknown): value is LogLevel {
  return logLevels.includes(value as LogLevel)
}

/** The lowest level that is logged; a change takes effect with the next line. */
export interface LogLevelControl {
  level: LogLevel
}

/** `auto` is pretty on a terminal, JSON otherwise. */
export type LogFormat = 'auto' | 'pretty' | 'json'

export const logFormats: readonly LogFormat[] = ['auto', 'pretty', 'json']
