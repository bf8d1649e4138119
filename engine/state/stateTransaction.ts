// What one batch does to a state: reads see its own writes, nobody else sees them before `commit`.
// Values are kept as JSON text, so that a value changed in place can corrupt neither the state nor
// what undoes the batch.

import { assert } from '../../protocol/runtime/assert.ts'
import { encodeStored, UnstorableError } from './storedValue.ts'

/** Key to JSON text; null for a key that has been deleted. */
export type StateWrites = ReadonlyMap<string, string | null>

/** The key's value cannot be kept. */
export class InvalidStateError extends Error {
  readonly key: string
  constructor(key: string, cause: UnstorableError) {
    super(cause.message, { cause })
    this.key = key
  }
}

export class StateTransaction<Value> {
  readonly batchId: number
  readonly #base: ReadonlyMap<string, string>
  readonly #commit: (writes: StateWrites) => Promise<void>
  readonly #writes = new Map<string, string | null>()
  #isOver = false

  /** `base` does not change while the transaction lasts. */
  constructor(
    batchId: number,
    base: ReadonlyMap<string, string>,
    commit: (writes: StateWrites) => Promise<void>,
  ) {
    this.batchId = batchId
    this.#base = base
    this.#commit = commit
  }

  /** A fresh copy of the value; undefined when there is none. */
  get(key: string): Value | undefined {
    this.#requireOpen()
    const text = this.#text(key)
    return text === null || text === undefined ? undefined : (JSON.parse(text) as Value)
  }

  /** Throws InvalidStateError for a value that would not come back as it is. */
  set(key: string, value: Value): void {
    this.#requireOpen()
    this.#write(key, encode(key, value))
  }

  delete(key: string): void {
    this.#requireOpen()
    this.#write(key, null)
  }

  /** Every key and value, in no particular order. Keys may be set and deleted on the way. */
  *entries(): Generator<[key: string, value: Value], void> {
    this.#requireOpen()
    for (const [key, text] of this.#base) {
      const written = this.#writes.get(key)
      if (written !== null) yield [key, JSON.parse(written ?? text) as Value]
    }
    for (const [key, text] of [...this.#writes]) {
      if (text !== null && !this.#base.has(key)) yield [key, JSON.parse(text) as Value]
    }
  }

  /** Whether the state would differ from the one before; writes that change nothing do not count. */
  get hasChanges(): boolean {
    return this.#writes.size > 0
  }

  /** Makes the writes durable as the state of this batch. The transaction is over, however it ends. */
  async commit(): Promise<void> {
    this.#requireOpen()
    this.#isOver = true
    await this.#commit(this.#writes)
  }

  /** Drops the writes. Nothing happens when the transaction is over already. */
  abandon(): void {
    this.#isOver = true
  }

  #text(key: string): string | null | undefined {
    const written = this.#writes.get(key)
    return written === undefined ? this.#base.get(key) : written
  }

  /** A write that changes nothing is none: updating every key each batch costs only the changes. */
  #write(key: string, text: string | null): void {
    if ((this.#base.get(key) ?? null) === text) this.#writes.delete(key)
    else this.#writes.set(key, text)
  }

  #requireOpen(): void {
    assert(!this.#isOver, `the state transaction of batch ${this.batchId} is over`)
  }
}

function encode(key: string, value: unknown): string {
  try {
    return encodeStored(value)
  } catch (error) {
    throw error instanceof UnstorableError ? new InvalidStateError(key, error) : error
  }
}
