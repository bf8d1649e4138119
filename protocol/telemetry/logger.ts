// Structured log lines: fields first, then one plain sentence. A logger is handed in, never imported
// as a global, and must not be called per record: once per batch at most, and then at `debug`.

import { type DestinationStream, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** In rising order of importance, for command-line options. */
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  /** An Error belongs under the field `error`: its stack and its causes are written out. */
  error(fields: object, message: string): void
  /** A logger that adds `bindings` to every line. */
  child(bindings: object): Logger
}

const standardErrorFd = 2

/**
 * JSON lines on standard error, which leaves standard output to results. Written synchronously, so
 * that the line saying why a process ends is never the one that gets lost.
 */
export function pinoLogger(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: standardErrorFd, sync: true }),
): Logger {
  return pino({ level, serializers: { error: pino.stdSerializers.err } }, destination)
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
