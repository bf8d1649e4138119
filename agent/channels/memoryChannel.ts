// Flume's memory channel: as fast as memory, gone with the process. Bounded by events (capacity)
// and by bytes of bodies, counted in slots of 100 bytes of which each event takes at least one.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, readOptions } from '../configuration/options.ts'
import type { EventBatch } from '../event.ts'
import { ChannelCounter } from '../monitoring/counters.ts'
import { ChannelState } from './channelState.ts'
import { type Entry, EntryList } from './entryList.ts'
import type { EventStore, StoredPut } from './eventStore.ts'
import { TransactionalChannel } from './transactionalChannel.ts'

/** Java's default is 80 % of the heap; here of an amount that leaves a small host its memory. */
const defaultByteCapacity = Math.floor(0.8 * 256 * 1024 * 1024)
const byteSlotBytes = 100

export const memoryChannelOptions = {
  capacity: {
    type: 'integer',
    default: 100,
    min: 1,
    belowMin: 'default',
    doc: 'events in the channel, at most',
  },
  transactionCapacity: {
    type: 'integer',
    default: 100,
    min: 1,
    belowMin: 'default',
    doc: 'events in one transaction, at most; not over capacity',
  },
  'keep-alive': { type: 'integer', default: 3, doc: 'seconds a put waits for room' },
  byteCapacity: {
    type: 'integer',
    default: defaultByteCapacity,
    doc: 'bytes of bodies in the channel, at most; 0: no limit',
  },
  byteCapacityBufferPercentage: {
    type: 'integer',
    default: 20,
    max: 100,
    doc: 'percent of byteCapacity set aside for headers',
  },
} as const satisfies OptionTable

export function memoryChannel(
  component: ComponentConfiguration,
  clock: Clock,
): TransactionalChannel {
  const options = readOptions(memoryChannelOptions, component)
  checkTransactionCapacity(component, options)
  const usable = options.byteCapacity * (1 - options.byteCapacityBufferPercentage / 100)
  const isLimited = options.byteCapacity > 0
  const byteSlots = isLimited ? Math.max(1, Math.floor(usable / byteSlotBytes)) : undefined
  return new TransactionalChannel(
    {
      name: component.name,
      type: 'memory',
      transactionCapacity: options.transactionCapacity,
      keepAliveMs: options['keep-alive'] * 1000,
      byteSlotsOf: isLimited ? byteSlotsOf : () => 0,
    },
    new ChannelState(options.capacity, byteSlots),
    new MemoryStore(),
    new ChannelCounter(),
    clock,
  )
}

/** A transaction larger than the channel could never commit. */
export function checkTransactionCapacity(
  component: ComponentConfiguration,
  options: { readonly capacity: number; readonly transactionCapacity: number },
): void {
  const { capacity, transactionCapacity } = options
  if (transactionCapacity <= capacity) return
  throw optionError(
    component,
    component.properties.has('transactionCapacity') ? 'transactionCapacity' : 'capacity',
    `transactionCapacity (${transactionCapacity}) is larger than capacity (${capacity})`,
  )
}

function byteSlotsOf(batch: EventBatch): number {
  const { ranges, first, count } = batch
  let slots = 0
  for (let at = first * 2, end = at + count * 2; at < end; at += 2) {
    slots += Math.max(1, Math.ceil((ranges[at + 1]! - ranges[at]!) / byteSlotBytes))
  }
  return slots
}

/** Keeps batches as they come. Nothing is durable, so everything is at once. */
class MemoryStore implements EventStore {
  readonly #entries = new EntryList<Entry>()
  #state: ChannelState | undefined

  async open(state: ChannelState): Promise<void> {
    this.#state = state
  }

  // The events stay: a channel that is started again by its supervisor still has them.
  async close(): Promise<void> {}

  checkSpace(): void {}

  async put(puts: readonly StoredPut[]): Promise<void> {
    for (const { range, batch } of puts) {
      this.#entries.push({ from: range.from, until: range.until, batch })
    }
  }

  async prepare(): Promise<void> {}

  take(ranges: readonly { from: number; until: number }[]): void {
    const state = this.#state!
    // An entry in the middle keeps its place, because an earlier one may be held for long, but it
    // must not keep its bytes.
    for (const { from, until } of ranges) {
      for (const entry of this.#entries.within(from, until)) {
        if (state.heldOf(entry).length === 0) entry.batch = undefined
      }
    }
    this.#entries.dropBelow(state.lowestHeld)
  }

  async release(): Promise<void> {}

  entryHolding(event: number): Entry {
    return this.#entries.holding(event)
  }

  async load(entry: Entry): Promise<EventBatch> {
    return entry.batch!
  }
}
