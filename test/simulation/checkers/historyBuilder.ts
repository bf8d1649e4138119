// Writes histories for tests of the checkers: each call is one operation that was invoked and
// completed before the next one, unless `begin` leaves it open.
//
// Contract: topics are named by one letter; `a` alone is the partition `a-0`.

import { type History, type PendingOperation, Recorder } from './history.ts'
import type { Offsets, Operation, TransactionStep } from './operations.ts'
import type { Value } from './value.ts'

type Pairs = readonly (readonly [offset: number, value: Value])[]

/** A step that sends: the value with its offset, if the answer has one. */
export function sent(
  partition: string,
  value: Value,
  offset?: number,
): TransactionStep & Operation {
  const send = { kind: 'send', partition: named(partition), value } as const
  return offset === undefined ? send : { ...send, offset }
}

/** A step that polls. */
export function polled(
  records: Readonly<Record<string, Pairs>>,
  positions?: Offsets,
): TransactionStep & Operation {
  const poll = { kind: 'poll', records: keyed(records) } as const
  return positions === undefined ? poll : { ...poll, positions: keyed(positions) }
}

export function committing(group: string, offsets: Offsets, generation?: number) {
  const commit = { kind: 'commit', group, offsets: keyed(offsets) } as const
  return generation === undefined ? commit : { ...commit, generation }
}

function named(partition: string): string {
  return partition.includes('-') ? partition : `${partition}-0`
}

function keyed<Content>(record: Readonly<Record<string, Content>>): Record<string, Content> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [named(key), value]))
}

export class HistoryBuilder {
  #nowMs = 0
  readonly #recorder = new Recorder(() => this.#nowMs++)

  begin(process: string, operation: Operation): PendingOperation {
    return this.#recorder.begin(process, operation)
  }

  ok(process: string, operation: Operation): this {
    this.begin(process, operation).ok()
    return this
  }

  fail(process: string, operation: Operation): this {
    this.begin(process, operation).fail('refused')
    return this
  }

  unknown(process: string, operation: Operation): this {
    this.begin(process, operation).unknown('timeout')
    return this
  }

  note(process: string, operation: Operation): this {
    this.#recorder.note(process, operation)
    return this
  }

  send(process: string, partition: string, value: Value, offset?: number): this {
    return this.ok(process, sent(partition, value, offset))
  }

  poll(process: string, records: Readonly<Record<string, Pairs>>, positions?: Offsets): this {
    return this.ok(process, polled(records, positions))
  }

  commit(process: string, ...steps: TransactionStep[]): this {
    return this.ok(process, { kind: 'txn', steps, end: 'commit' })
  }

  abort(process: string, ...steps: TransactionStep[]): this {
    return this.ok(process, { kind: 'txn', steps, end: 'abort' })
  }

  mark(name: 'liveness' | 'caughtUp'): this {
    return this.note('test', { kind: 'mark', name })
  }

  get history(): History {
    return this.#recorder.history
  }
}
