// Structured logging: fields first, then one sentence. Contract: a logger is passed in, never
// imported as a global. Must never be called per record: at most once per batch, and then at
// `debug`.

import { type DestinationStream, pino } from 'pino'
import { standardError } from '../../runtime/process/standardStreams.ts'
import { loggedError } from './loggedError.ts'
import type { LogLevel, LogLevelControl } from './logLevel.ts'

export type { LogLevel } from './logLevel.ts'

import { LogLines } from './logLines.ts'

/** The logger of a program: fields first, then one sentence. A pino logger fits. */
export interface Logger {
  /** Details for debugging. */
  debug(fields: object, message: string): void
  /** Events of the program: started, recovered, stopped. */
  info(fields: object, message: string): void
  /** Conditions that need an operator's attention. */
  warn(fields: object, message: string): void
  /**
   * Failures. Errors belong in the field `error`; in any field they are formatted by `loggedError`.
   */
  error(fields: object, message: string): void
  /** Returns a logger that adds `bindings` to every line. */
  child(bindings: object): Logger
}

/** A logger with a changeable level; its children follow. */
export interface AdjustableLogger extends Logger, LogLevelControl {}

/** Logs JSON lines to standard error; standard output is for results. */
export function pinoLogger(
  level: LogLevel,
  destination: DestinationStream = standardErrorLines(),
): AdjustableLogger {
  const formatters = { log: withErrors, bindings: withErrors }
  // Replaces pino's own serializer for this name.
  const logger = pino({ level, formatters, serializers: { err: loggedError } }, destination)
  return logger as typeof logger & { level: LogLevel }
}

let lines: LogLines | undefined

/** The output of all loggers of this process on standard error. */
export function standardErrorLines(): LogLines {
  lines ??= new LogLines({ output: standardError, lostLine })
  return lines
}

/** The line that is logged after lines were lost. Exported for tests. */
export function lostLine(count: number, reason: string): string {
  let line = ''
  const write = (text: string) => {
    line = text
  }
  const fields = { lost: count, reason }
  pinoLogger('warn', { write }).warn(
    fields,
    'log lines were lost: the log output was too slow or failed',
  )
  return line
}

/** Formats Errors in every field: pino would write `{}`. */
function withErrors(fields: Record<string, unknown>): Record<string, unknown> {
  for (const value of Object.values(fields)) {
    if (!(value instanceof Error)) continue
    return Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, loggedError(field)]),
    )
  }
  return fields
}

const ignore = () => {}

/** Logs nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
