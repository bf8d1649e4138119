// One transaction of a channel: collects what was put or taken, and calls the channel when it is
// committed or rolled back. TransactionLifecycle checks the order of calls. Neither puts nor takes
// of a transaction ever exceed transactionCapacity.

import { assert } from '../../protocol/runtime/assert.ts'
import { AgentError } from '../errors.ts'
import type { EventBatch } from '../event.ts'
import type { ChannelCounter } from '../monitoring/counters.ts'
import type { ChannelTransaction } from './channel.ts'
import type { PreparedTake } from './channelState.ts'
import type { Range } from './rangeSet.ts'
import type { SourcePosition } from './sourcePosition.ts'
import { TransactionLifecycle } from './transaction.ts'

export interface PutBatch {
  readonly batch: EventBatch
  readonly position: SourcePosition | undefined
}

/** The channel as its transactions see it. */
export interface TransactionHost {
  readonly name: string
  readonly transactionCapacity: number
  readonly counter: ChannelCounter
  readonly byteSlotsOf: (batch: EventBatch) => number
  checkOpen(): void
  commitPuts(puts: readonly PutBatch[]): Promise<void>
  takeBatches(maxEvents: number, maxBytes: number, into: Range[]): Promise<EventBatch[]>
  prepareTake(sink: string, ranges: readonly Range[], stamp: Buffer): Promise<PreparedTake>
  commitTake(ranges: readonly Range[], byteSlots: number, prepared: PreparedTake | undefined): void
  rollbackTake(ranges: readonly Range[], prepared: PreparedTake | undefined): Promise<void>
  detachTake(prepared: PreparedTake): void
  /** Time since the first of these events was put, in ms. */
  ageOf(ranges: readonly Range[]): number
}

export class BatchTransaction implements ChannelTransaction {
  readonly #host: TransactionHost
  readonly #lifecycle = new TransactionLifecycle()
  readonly #puts: PutBatch[] = []
  #putEvents = 0
  #ranges: Range[] = []
  #takenEvents = 0
  #takenByteSlots = 0
  #prepared: PreparedTake | undefined

  constructor(host: TransactionHost) {
    this.#host = host
  }

  /** Returns an OPEN transaction of a take that was prepared earlier. */
  static resumed(
    host: TransactionHost,
    take: PreparedTake,
    batches: readonly EventBatch[],
  ): BatchTransaction {
    const transaction = new BatchTransaction(host)
    transaction.#lifecycle.begin()
    transaction.#lifecycle.use('take')
    transaction.#ranges = [...take.ranges]
    transaction.#prepared = take
    transaction.#countTaken(batches)
    return transaction
  }

  begin(): void {
    this.#host.checkOpen()
    this.#lifecycle.begin()
  }

  put(batch: EventBatch, position?: SourcePosition): void {
    this.#host.checkOpen()
    this.#lifecycle.use('put')
    this.#host.counter.EventPutAttemptCount += batch.count
    this.#checkCapacity('put', this.#putEvents + batch.count)
    this.#putEvents += batch.count
    this.#puts.push({ batch, position })
  }

  async take(maxEvents: number, maxBytes = Number.POSITIVE_INFINITY): Promise<EventBatch[]> {
    this.#host.checkOpen()
    this.#lifecycle.use('take')
    if (this.#prepared) this.#refuse('take after prepare')
    this.#checkCapacity('take', this.#takenEvents + 1)
    const room = this.#host.transactionCapacity - this.#takenEvents
    this.#host.counter.EventTakeAttemptCount++
    const batches = await this.#host.takeBatches(Math.min(maxEvents, room), maxBytes, this.#ranges)
    this.#countTaken(batches)
    assert(
      this.#takenEvents <= this.#host.transactionCapacity,
      'the takes of a transaction never exceed transactionCapacity',
    )
    return batches
  }

  oldestTakenMs(): number {
    return this.#host.ageOf(this.#ranges)
  }

  async prepare(sink: string, stamp: Buffer): Promise<void> {
    this.#host.checkOpen()
    this.#lifecycle.use('take')
    if (this.#prepared) this.#refuse('prepare called twice')
    if (this.#ranges.length === 0) this.#refuse('prepare before a take')
    this.#prepared = await this.#host.prepareTake(sink, this.#ranges, stamp)
  }

  async commit(): Promise<void> {
    this.#host.checkOpen()
    const use = this.#lifecycle.beginCompletion('commit')
    try {
      if (use === 'put') await this.#host.commitPuts(this.#puts)
      if (use === 'take' && this.#ranges.length > 0) {
        this.#host.commitTake(this.#ranges, this.#takenByteSlots, this.#prepared)
      }
    } catch (error) {
      this.#lifecycle.reopen()
      throw error
    }
    this.#lifecycle.complete()
  }

  async rollback(): Promise<void> {
    const use = this.#lifecycle.beginCompletion('rollback')
    // Byte slots of taken events stay in use: the events are still in the channel.
    if (use === 'take') await this.#host.rollbackTake(this.#ranges, this.#prepared)
    this.#lifecycle.complete()
  }

  detach(): void {
    if (this.#prepared === undefined) this.#refuse('detach before prepare')
    this.#lifecycle.beginCompletion('rollback')
    this.#host.detachTake(this.#prepared)
    this.#lifecycle.complete()
    this.#lifecycle.close()
  }

  close(): void {
    this.#lifecycle.close()
  }

  #countTaken(batches: readonly EventBatch[]): void {
    for (const batch of batches) {
      this.#takenEvents += batch.count
      this.#takenByteSlots += this.#host.byteSlotsOf(batch)
    }
  }

  #checkCapacity(action: string, events: number): void {
    const { name, transactionCapacity } = this.#host
    if (events <= transactionCapacity) return
    throw new AgentError(
      'TRANSACTION_CAPACITY',
      `channel ${name}: ${action} of more than transactionCapacity (${transactionCapacity}) events in one transaction; lower the batch size or raise transactionCapacity`,
    )
  }

  #refuse(what: string): never {
    throw new AgentError('ILLEGAL_STATE', `channel ${this.#host.name}: ${what}`)
  }
}
