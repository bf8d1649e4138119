// KeyedState over a transaction: values instead of bytes. A value is encoded when it is set and
// decoded at each read, so that code that changes a value in place can corrupt neither the state
// nor the undo record.

import { isDeepStrictEqual } from 'node:util'
import type { KeyedState, StateTimer, TimeDomain } from './keyedState.ts'
import type { StateCodec } from './stateCodec.ts'
import type { StateTransaction } from './stateTransaction.ts'
import { UnstorableError } from './storedValue.ts'
import { v8Codec } from './v8Codec.ts'

/** The value of a key cannot be encoded. */
export class InvalidStateError extends Error {
  readonly key: string
  constructor(key: string, message: string, cause: unknown) {
    super(message, { cause })
    this.key = key
  }
}

/** Whether the round trip of the codec was checked; once per opening of a state. */
export interface CodecCheck {
  isDone: boolean
}

/** A codec may return views of its input, and `bytes` belong to the state, so it gets a copy. */
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
      // A codec may reuse one buffer for all that it encodes.
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
        `codec '${this.#codec.name}' decodes an encoded value to a different one; correct the codec, or store ` +
          'only values that it supports',
      )
    }
    this.#check.isDone = true
  }
}
