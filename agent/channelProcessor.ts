// From a source into its channels: interceptors, then one put transaction for each channel. Batches
// are committed in the order of the calls, so a source may have several under way; what went wrong
// with one is told to whoever waits for it.

import type { Logger } from '../protocol/telemetry/logger.ts'
import type { Channel } from './channels/channel.ts'
import { type FileIdentity, noFingerprint, type SourcePosition } from './channels/sourcePosition.ts'
import type { EventBatch } from './event.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import type { SourceCounter } from './monitoring/counters.ts'
import type { SelectedChannels } from './selectors/replicatingSelector.ts'

/**
 * Batches that may wait for an optional channel; what comes on top is dropped at once. Nobody waits
 * for such puts, so a channel that is full would otherwise gather all that a source reads meanwhile.
 */
const maxOptionalPuts = 64

/** Where to read a file on. */
export type ResumePosition = Pick<SourcePosition, 'end' | 'generation' | 'fingerprint'>

export class ChannelProcessor {
  readonly #interceptors: readonly Interceptor[]
  readonly #channels: SelectedChannels
  readonly #counter: SourceCounter
  readonly #logger: Logger
  /** How many puts into each optional channel are under way. */
  readonly #optionalPuts = new Map<Channel, number>()

  constructor(
    interceptors: readonly Interceptor[],
    channels: SelectedChannels,
    counter: SourceCounter,
    logger: Logger,
  ) {
    this.#interceptors = interceptors
    this.#channels = channels
    this.#counter = counter
    this.#logger = logger
  }

  /** The most events that every channel takes in one transaction. */
  get transactionCapacity(): number {
    const { required, optional } = this.#channels
    return Math.min(...[...required, ...optional].map((channel) => channel.transactionCapacity))
  }

  /** Resolves when all required channels have the batch; fails with the first one's AgentError. */
  async process(batch: EventBatch, position?: SourcePosition): Promise<void> {
    this.#counter.EventReceivedCount += batch.count
    this.#counter.AppendBatchReceivedCount++
    let events = batch
    for (const intercept of this.#interceptors) events = intercept(events)
    const puts = this.#channels.required.map((channel) => put(channel, events, position))
    for (const channel of this.#channels.optional) this.#putOptionally(channel, events)
    try {
      if (puts.length === 1) await puts[0]
      else for (const result of await Promise.allSettled(puts)) throwIfRejected(result)
    } catch (error) {
      this.#counter.ChannelWriteFail++
      throw error
    }
    this.#counter.EventAcceptedCount += batch.count
    this.#counter.AppendBatchAcceptedCount++
  }

  /**
   * From where the source must read a file on, so that every required channel gets everything: the
   * smallest of the channels' last positions, in the file's newest generation. `notedEnd` is the
   * source's own note: it stands for channels that know nothing, and wins where it is larger.
   * Undefined when nobody knows the file.
   */
  resumePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
    notedEnd: number | undefined,
  ): ResumePosition | undefined {
    const known = this.#channels.required.map((channel) => channel.lastPosition(source, file))
    const generation = Math.max(0, ...known.map((position) => position?.generation ?? 0))
    if (notedEnd === undefined && known.every((position) => position === undefined))
      return undefined
    let smallest: ResumePosition | undefined
    for (const position of known) {
      const isCurrent = position?.generation === generation
      const end = isCurrent ? position.end : ((position === undefined ? notedEnd : 0) ?? 0)
      if (smallest !== undefined && end >= smallest.end) continue
      const fingerprint = isCurrent ? position.fingerprint : noFingerprint
      smallest = { end, generation, fingerprint }
    }
    if (notedEnd === undefined || notedEnd <= (smallest?.end ?? -1)) return smallest
    return { end: notedEnd, generation, fingerprint: noFingerprint }
  }

  #putOptionally(channel: Channel, batch: EventBatch): void {
    const underWay = this.#optionalPuts.get(channel) ?? 0
    if (underWay >= maxOptionalPuts) {
      this.#drop(channel, batch, `${underWay} batches wait for it already`)
      return
    }
    this.#optionalPuts.set(channel, underWay + 1)
    put(channel, batch, undefined)
      .catch((error: unknown) => this.#drop(channel, batch, error))
      .finally(() => this.#optionalPuts.set(channel, this.#optionalPuts.get(channel)! - 1))
  }

  #drop(channel: Channel, batch: EventBatch, error: unknown): void {
    this.#logger.warn(
      { channel: channel.name, events: batch.count, error },
      'dropped events for an optional channel',
    )
  }
}

async function put(
  channel: Channel,
  batch: EventBatch,
  position: SourcePosition | undefined,
): Promise<void> {
  const transaction = channel.transaction()
  transaction.begin()
  try {
    transaction.put(batch, position)
    await transaction.commit()
  } catch (error) {
    await transaction.rollback()
    throw error
  } finally {
    transaction.close()
  }
}

function throwIfRejected(result: PromiseSettledResult<void>): void {
  if (result.status === 'rejected') throw result.reason
}
