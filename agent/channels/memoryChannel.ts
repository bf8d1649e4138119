// Flume's memory channel: as fast as memory, gone with the process. Bounded by events (capacity)
// and by bytes of bodies, counted in slots of 100 bytes of which each event takes at least one.
//
// A source that can be read again loses nothing here: it notes the positions up to which sinks have
// committed (`safePosition`), and reads the rest again after a restart. What is lost when the channel
// stops, because its source cannot be read again, is logged with the number of events.

import type { Clock } from '../../protocol/runtime/clock.ts'
import { type Logger, silentLogger } from '../../protocol/telemetry/logger.ts'
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

  // The events stay: a channel restarted by its supervisor still has them.
  async close(isHandedOn = false): Promise<void> {
    const held = this.#state!.size
    if (held === 0 || isHandedOn) return
    const rereadable = this.#taken.rereadable(this.#state!)
    const fields = { channel: this.#channel, events: held - rereadable, rereadable }
    const message = 'memory channel stopped with events that no sink has committed'
    if (rereadable === held) {
      this.#logger.info(fields, `${message}: their files are read again after the next start`)
      return
    }
    this.#logger.warn(
      fields,
      `${message}: "events" are lost (their source cannot be read again, or their file was truncated and has no copy), "rereadable" are read again after the next start`,
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

  async prepare(): Promise<void> {}

  take(ranges: readonly Range[]): void {
    const state = this.#state!
    // An entry in the middle keeps its place, because an earlier one may be held for long, but it
    // must not keep its bytes.
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
