// Flume's memory channel: fast, and lost with the process. Bounded by events (capacity) and by
// bytes of bodies (byteCapacity), counted in slots of 100 bytes; each event takes at least one
// slot.
//
// A source that can be read again loses nothing: it records the position up to which sinks have
// committed (`safePosition`) and reads the rest again after a restart. Events of a source that
// cannot be read again are lost when the channel stops; their number is logged.

import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { type Logger, silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, readOptions } from '../configuration/options.ts'
import type { EventBatch } from '../event.ts'
import { ChannelCounter } from '../monitoring/counters.ts'
import { ChannelState } from './channelState.ts'
import { type Entry, EntryList } from './entryList.ts'
import type { EventStore, StoredPut } from './eventStore.ts'
import type { Range } from './rangeSet.ts'
import type { FileIdentity, SafePosition } from './sourcePosition.ts'
import { TakenPositions } from './takenPositions.ts'
import { TransactionalChannel } from './transactionalChannel.ts'

/** Flume's default is 80 % of the Java heap; here 80 % of 256 MiB, which fits a small host. */
const defaultByteCapacity = Math.floor(0.8 * 256 * 1024 * 1024)
const byteSlotBytes = 100

export const memoryChannelOptions = {
  capacity: {
    type: 'integer',
    default: 100,
    min: 1,
    belowMin: 'default',
    doc: 'Maximum number of events in the channel.',
  },
  transactionCapacity: {
    type: 'integer',
    default: 100,
    min: 1,
    belowMin: 'default',
    doc: 'Maximum number of events in one transaction; must not exceed capacity.',
  },
  'keep-alive': {
    type: 'integer',
    default: 3,
    doc: 'Time that a put waits for room in the channel, in seconds.',
  },
  byteCapacity: {
    type: 'integer',
    default: defaultByteCapacity,
    doc: 'Maximum size of all event bodies in the channel, in bytes; 0 means no limit.',
  },
  byteCapacityBufferPercentage: {
    type: 'integer',
    default: 20,
    max: 100,
    doc: 'Percentage of byteCapacity reserved for headers.',
  },
} as const satisfies OptionTable

export function memoryChannel(
  component: ComponentConfiguration,
  clock: Clock,
  logger: Logger = silentLogger,
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
    new MemoryStore(component.name, logger),
    new ChannelCounter(),
    clock,
  )
}

/** Refuses a transactionCapacity above capacity: such a transaction could never commit. */
export function checkTransactionCapacity(
  component: ComponentConfiguration,
  options: { readonly capacity: number; readonly transactionCapacity: number },
): void {
  const { capacity, transactionCapacity } = options
  if (transactionCapacity <= capacity) return
  throw optionError(
    component,
    component.properties.has('transactionCapacity') ? 'transactionCapacity' : 'capacity',
    `transactionCapacity (${transactionCapacity}) exceeds capacity (${capacity})`,
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

/** Keeps the batches in memory. Nothing is durable, so no operation waits. */
class MemoryStore implements EventStore {
  readonly pendingWrites = 0
  readonly #channel: string
  readonly #logger: Logger
  readonly #entries = new EntryList<Entry>()
  readonly #taken = new TakenPositions()
  #state: ChannelState | undefined

  constructor(channel: string, logger: Logger) {
    this.#channel = channel
    this.#logger = logger
  }

  async open(state: ChannelState): Promise<void> {
    this.#state = state
  }

  // The events are kept: a channel that the next agent takes over still has them.
  async close(isHandedOn = false): Promise<void> {
    const held = this.#state!.size
    if (held === 0 || isHandedOn) return
    const rereadable = this.#taken.rereadable(this.#state!)
    const fields = { channel: this.#channel, events: held - rereadable, rereadable }
    const message = 'memory channel stopped with uncommitted events'
    if (rereadable === held) {
      this.#logger.info(fields, `${message}: all of them are read again after the next start`)
      return
    }
    this.#logger.warn(
      fields,
      `${message}: those counted in "events" are lost (their source cannot be read again, or their file was truncated and no copy is followed), those in "rereadable" are read again after the next start`,
    )
  }

  checkSpace(): void {}

  async put(puts: readonly StoredPut[]): Promise<void> {
    for (const { range, batch, position, putMs } of puts) {
      if (range !== undefined) this.#entries.push({ ...range, putMs, batch })
      if (position !== undefined) this.#taken.put(range, batch, position)
    }
    this.#taken.advance(this.#state!.lowestHeld)
  }

  async makeWritable(): Promise<void> {}

  async prepare(): Promise<void> {}

  take(ranges: readonly Range[]): void {
    const state = this.#state!
    // An earlier entry may be held for long: an entry behind it stays in the list, but not its
    // bytes.
    for (const { from, until } of ranges) {
      for (const entry of this.#entries.within(from, until)) {
        if (state.heldOf(entry).length === 0) entry.batch = undefined
      }
    }
    this.#entries.dropBelow(state.lowestHeld)
    this.#taken.advance(state.lowestHeld)
  }

  release(): void {}

  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined {
    return this.#taken.safePosition(source, file)
  }

  entryHolding(event: number): Entry {
    return this.#entries.holding(event)
  }

  putMsOf(event: number): number | undefined {
    return this.#entries.putMsOf(event)
  }

  async load(entry: Entry): Promise<EventBatch> {
    return entry.batch!
  }
}
