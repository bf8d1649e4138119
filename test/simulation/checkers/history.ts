// A history: what the clients of a system asked and were answered, in the order in which it
// happened, as in Jepsen. Recorded by the simulator, or read from JSON lines of real processes.
//
// Contract: entries are in the order of real time: an entry that stands before another happened
// before it. An operation has one `invoke` and at most one of `ok`, `fail` (certainly without
// effect) and `info` (outcome unknown); one without a second entry is unknown too. What a process
// only notes (a rebalance, a crash, an observation) is a single `ok`.

import type { Operation } from './operations.ts'

export type EntryType = 'invoke' | 'ok' | 'fail' | 'info'

export interface HistoryEntry {
  /** The same in the invocation and in the completion of an operation. */
  readonly id: number
  readonly process: string
  readonly type: EntryType
  /** By the clock of whoever records. For people: the order is that of the entries. */
  readonly timeMs: number
  readonly operation: Operation
  /** Why an operation failed, or is unknown. */
  readonly error?: string
}

export type History = readonly HistoryEntry[]

/**
 * Records a history. The operations are kept, not copied: an invocation whose steps become known
 * later (a transaction that grows) may be handed in as an object that its owner still appends to.
 */
export class Recorder {
  readonly #now: () => number
  readonly #entries: HistoryEntry[] = []
  #nextId = 0

  /** `now`: the time in ms. */
  constructor(now: () => number) {
    this.#now = now
  }

  begin(process: string, operation: Operation): PendingOperation {
    const id = this.#nextId++
    this.#add(id, process, 'invoke', operation)
    return new PendingOperation((type, completed, error) =>
      this.#add(id, process, type, completed ?? operation, error),
    )
  }

  /** Records what happened to a process without having been asked for, or took no time. */
  note(process: string, operation: Operation): void {
    this.#add(this.#nextId++, process, 'ok', operation)
  }

  get history(): History {
    return this.#entries
  }

  #add(id: number, process: string, type: EntryType, operation: Operation, error?: string): void {
    const timeMs = this.#now()
    this.#entries.push(
      error === undefined
        ? { id, process, type, timeMs, operation }
        : { id, process, type, timeMs, operation, error },
    )
  }
}

type Complete = (type: 'ok' | 'fail' | 'info', operation?: Operation, error?: string) => void

/** An operation under way. Only the first completion counts: a late answer to it is dropped. */
export class PendingOperation {
  readonly #complete: Complete
  #isCompleted = false

  constructor(complete: Complete) {
    this.#complete = complete
  }

  get isCompleted(): boolean {
    return this.#isCompleted
  }

  /** `operation`: what was asked together with what was answered. */
  ok(operation?: Operation): void {
    this.#end('ok', operation)
  }

  /** The operation certainly had no effect. */
  fail(error: string, operation?: Operation): void {
    this.#end('fail', operation, error)
  }

  /** The operation may have had an effect, or may still have one. */
  unknown(error: string, operation?: Operation): void {
    this.#end('info', operation, error)
  }

  #end(type: 'ok' | 'fail' | 'info', operation?: Operation, error?: string): void {
    if (this.#isCompleted) return
    this.#isCompleted = true
    this.#complete(type, operation, error)
  }
}
