// Structured log lines: fields first, then one plain sentence. A logger is handed in, never imported
// as a global, and must not be called per record: once per batch at most, and then at `debug`.

import { type DestinationStream, pino } from 'pino'
import { standardError } from '../runtime/standardStreams.ts'
import { loggedError } from './loggedError.ts'
import type { LogLevel, LogLevelControl } from './logLevel.ts'

export { type LogLevel, logLevels } from './logLevel.ts'

import { LogLines } from './logLines.ts'

/** Where a program logs: fields first, then one sentence. A logger of pino is one. */
export interface Logger {
  /** Details for somebody who looks for a fault. */
  debug(fields: object, message: string): void
  /** What a program did: started, recovered, stopped. */
  info(fields: object, message: string): void
  /** What an operator should look at. */
  warn(fields: object, message: string): void
  /** An Error belongs under the field `error`; under any field it is written as `loggedError` says. */
  error(fields: object, message: string): void
  /** A logger that adds `bindings` to every line. */
  child(bindings: object): Logger
}

/** A logger whose level can be changed; loggers made of it with `child` follow. */
export interface AdjustableLogger extends Logger, LogLevelControl {}

/** JSON lines on standard error, which leaves standard output to results. */
export function pinoLogger(
  level: LogLevel,
  destination: DestinationStream = standardErrorLines(),
): AdjustableLogger {
  const formatters = { log: withErrors, bindings: withErrors }
  // pino has a serializer of its own for this name.
  const logger = pino({ level, formatters, serializers: { err: loggedError } }, destination)
  return logger as typeof logger & { level: LogLevel }
}

let lines: LogLines | undefined

/** The lines of this process on standard error, shared by all its loggers. */
export function standardErrorLines(): LogLines {
  lines ??= new LogLines({ output: standardError, lostLine })
  return lines
}

/** Exported for tests: what is logged once lines can be written again. */
export function lostLine(count: number, reason: string): string {
  let line = ''
  const write = (text: string) => {
    line = text
  }
  const fields = { lost: count, reason }
  pinoLogger('warn', { write }).warn(
    fields,
    'log lines were lost: the log could not be written fast enough, or not at all',
  )
  return line
}

/** An Error is data under any name: pino would write `{}` for one that it does not know. */
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

/** Says nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
