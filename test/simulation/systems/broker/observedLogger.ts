// The log of a simulated broker: part of the timeline, and a violation where a healthy broker logs
// an error.

import type { Logger, LogLevel } from '../../../../protocol/telemetry/logging/logger.ts'

export type LogObserver = (level: LogLevel, fields: object, message: string) => void

export class ObservedLogger implements Logger {
  readonly #observe: LogObserver
  readonly #bindings: object

  constructor(observe: LogObserver, bindings: object = {}) {
    this.#observe = observe
    this.#bindings = bindings
  }

  debug(): void {}

  info(fields: object, message: string): void {
    this.#observe('info', { ...this.#bindings, ...fields }, message)
  }

  warn(fields: object, message: string): void {
    this.#observe('warn', { ...this.#bindings, ...fields }, message)
  }

  error(fields: object, message: string): void {
    this.#observe('error', { ...this.#bindings, ...fields }, message)
  }

  child(bindings: object): Logger {
    return new ObservedLogger(this.#observe, { ...this.#bindings, ...bindings })
  }
}
