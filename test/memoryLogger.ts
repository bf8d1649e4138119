// A logger that keeps its lines, for tests that check what is logged.

import type { Logger, LogLevel } from '../protocol/telemetry/logging/logger.ts'

export interface LogLine {
  readonly level: LogLevel
  readonly fields: Record<string, unknown>
  readonly message: string
}

export class MemoryLogger implements Logger {
  readonly lines: LogLine[]
  readonly #bindings: object

  constructor(bindings: object = {}, lines: LogLine[] = []) {
    this.#bindings = bindings
    this.lines = lines
  }

  debug(fields: object, message: string): void {
    this.#add('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.#add('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#add('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#add('error', fields, message)
  }

  /** Returns a logger that shares `lines` with this one. */
  child(bindings: object): MemoryLogger {
    return new MemoryLogger({ ...this.#bindings, ...bindings }, this.lines)
  }

  /** The messages of one level, in order. */
  messages(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message)
  }

  #add(level: LogLevel, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...this.#bindings, ...fields }, message })
  }
}
