// KeyedState over a transaction: values in place of bytes. A value is encoded when it is set and decoded
// whenever it is read, so that a value changed in place can corrupt neither the state nor what undoes the
// batch.

import { isDeepStrictEqual } from 'node:util'
import type { KeyedState, StateTimer, TimeDomain } from './keyedState.ts'
import type { StateCodec } from './stateCodec.ts'
import type { StateTransaction } from './stateTransaction.ts'
import { UnstorableError } from './storedValue.ts'
import { v8Codec } from './v8Codec.ts'

/** The key's value cannot be kept. */
export class InvalidStateError extends Error {
  readonly key: string
  constructor(key: string, message: string, cause: unknown) {
    super(message, { cause })
    this.key = key
  }
}

/** Whether a codec gives back what it was given is checked once per opening of a state. */
export interface CodecCheck {
  isDone: boolean
}

/** `bytes` are those of the state: a codec may hand out views of what it is given, so it gets a copy. */
export function decodeValue(codec: StateCodec, bytes: Uint8Array): unknown {
  return codec.decode(codec === v8Codec ? bytes : new Uint8Array(bytes))
}

export class OperatorState implements KeyedState {
  readonly #transaction: StateTransaction
  readonly #codec: StateCodec
  readonly #check: CodecCheck

  constructor(transaction: StateTransaction, codec: StateCodec, check: CodecCheck) {
    this.#transaction = transaction
    this.#codec = codec
    this.#check = check
  }

  get isNew(): boolean {
    return this.#transaction.isNew
  }

  load(keys: Iterable<string>): Promise<void> {
    return this.#transaction.load(keys)
  }

  get(key: string): unknown {
    const bytes = this.#transaction.get(key)
    return bytes === undefined ? undefined : decodeValue(this.#codec, bytes)
  }

  set(key: string, value: unknown): void {
    this.#transaction.put(key, this.#encode(key, value))
  }

  delete(key: string): void {
    this.#transaction.put(key, null)
  }

  setTimer(timer: StateTimer): void {
    this.#transaction.setTimer(timer)
  }

  deleteTimer(timer: StateTimer): void {
    this.#transaction.deleteTimer(timer)
  }

  takeTimers(domain: TimeDomain, untilMs: number, limit: number): Promise<readonly StateTimer[]> {
    return this.#transaction.takeTimers(domain, untilMs, limit)
  }

  #encode(key: string, value: unknown): Uint8Array {
    const codec = this.#codec
    try {
      if (codec === v8Codec) return codec.encode(value)
      // A codec may use one buffer for all that it encodes.
      const bytes = new Uint8Array(codec.encode(value))
      if (!this.#check.isDone) this.#requireRoundTrip(value, bytes)
      return bytes
    } catch (cause) {
      if (cause instanceof UnstorableError) throw new InvalidStateError(key, cause.message, cause)
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new InvalidStateError(key, `codec '${codec.name}' failed: ${reason}`, cause)
    }
  }

  #requireRoundTrip(value: unknown, bytes: Uint8Array): void {
    if (!isDeepStrictEqual(decodeValue(this.#codec, bytes), value)) {
      throw new UnstorableError(
        `codec '${this.#codec.name}' decodes the value that it has encoded to another one: correct the codec, or keep ` +
          'only values that it can encode',
      )
    }
    this.#check.isDone = true
  }
}
