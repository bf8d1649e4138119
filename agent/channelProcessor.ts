// From a source into its channels: interceptors, then one put transaction for each channel. Batches
// are committed in the order of the calls, so a source may have several in flight; the failure of
// one is reported to its own caller.
//
// Positions travel with events. Whatever interceptors drop and selectors split, every required channel
// gets the position of every batch, with no events if need be: a channel that missed one would refuse
// the file's next batch as a gap.

import type { Logger } from '../protocol/telemetry/logger.ts'
import type { Channel } from './channels/channel.ts'
import {
  type FileIdentity,
  type Fingerprint,
  noFingerprint,
  type SafePosition,
  type SourcePosition,
} from './channels/sourcePosition.ts'
import type { EventBatch } from './event.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import type { SourceCounter } from './monitoring/counters.ts'
import type { ChannelSelector } from './selectors/channelSelector.ts'

/**
 * Batches that may wait for an optional channel; what comes on top is dropped at once. Nobody waits
 * for such puts, so a channel that is full would otherwise gather all that a source reads meanwhile.
 */
const maxOptionalPuts = 64

/** What a file's bytes before `end` must be, if it is still the file that was read. */
export interface FingerprintCheck {
  readonly end: number
  readonly fingerprint: Fingerprint
}

/** Where to read a file on. */
export interface ResumePosition {
  readonly end: number
  readonly generation: number
  readonly fingerprint: Fingerprint
  /**
   * What channels and notes know of the file. If the file fails one of them it was replaced, and is
   * another generation: a channel further on than `end` would take its first lines for known.
   */
  readonly checks: readonly FingerprintCheck[]
}

/** A source's own note of a position, for channels that know nothing of the file. */
export interface NotedPosition {
  readonly end: number
  readonly generation: number
  readonly checks: readonly FingerprintCheck[]
}

type FileKey = Pick<FileIdentity, 'device' | 'inode'>

export class ChannelProcessor {
  readonly #interceptors: readonly Interceptor[]
  readonly #selector: ChannelSelector
  readonly #counter: SourceCounter
  readonly #logger: Logger
  /** How many puts into each optional channel are in flight. */
  readonly #optionalPuts = new Map<Channel, number>()
  #lastNote: (() => Promise<void>) | undefined

  constructor(
    interceptors: readonly Interceptor[],
    selector: ChannelSelector,
    counter: SourceCounter,
    logger: Logger,
  ) {
    this.#interceptors = interceptors
    this.#selector = selector
    this.#counter = counter
    this.#logger = logger
    const noting = async () => this.#lastNote?.()
    selector.required[0]?.onStop(noting)
  }

  /** The most events that every channel takes in one transaction. */
  get transactionCapacity(): number {
    const { required, optional } = this.#selector
    return Math.min(...[...required, ...optional].map((channel) => channel.transactionCapacity))
  }

  /**
   * Resolves when all required channels have the batch; fails with the first one's AgentError.
   * `position` covers the whole batch, which then has the end of each event in the file.
   */
  async process(batch: EventBatch, position?: SourcePosition): Promise<void> {
    this.#counter.EventReceivedCount += batch.count
    this.#counter.AppendBatchReceivedCount++
    let events = batch
    for (const intercept of this.#interceptors) events = intercept(events)
    const { required, optional } = this.#selector
    const puts: Promise<void>[] = []
    for (const channel of required) {
      const part = this.#selector.select(events, channel)
      if (part.count > 0 || position !== undefined) puts.push(put(channel, part, position))
    }
    for (const channel of optional) {
      const part = this.#selector.select(events, channel)
      if (part.count > 0) this.#putOptionally(channel, part)
    }
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
   * smallest of the channels' last positions, in the file's newest generation. A channel that knows
   * the file is believed, even when the source's note is ahead of it (the channel's directory may be
   * an older copy); the note stands for channels that know nothing. Undefined when nobody knows the
   * file.
   */
  resumePosition(
    source: string,
    file: FileKey,
    noted: NotedPosition | undefined,
  ): ResumePosition | undefined {
    const known = this.#selector.required.map((channel) => channel.lastPosition(source, file))
    if (noted === undefined && known.every((position) => position === undefined)) return undefined
    const generation = Math.max(
      noted?.generation ?? 0,
      ...known.map((position) => position?.generation ?? 0),
    )
    const notedEnd = noted?.generation === generation ? noted.end : 0
    const checks = noted?.generation === generation ? [...noted.checks] : []
    let end = Number.POSITIVE_INFINITY
    for (const position of known) {
      const isCurrent = position?.generation === generation
      if (isCurrent) checks.push({ end: position.end, fingerprint: position.fingerprint })
      end = Math.min(end, isCurrent ? position.end : position === undefined ? notedEnd : 0)
    }
    const own = checks.find((check) => check.end === end && check.fingerprint.lengthBytes > 0)
    return { end, generation, fingerprint: own?.fingerprint ?? noFingerprint, checks }
  }

  /**
   * Up to where none of the file's events would be lost if the process ended now, over all required
   * channels: what a source may note. `base` is where reading this generation began, for channels
   * that got nothing of it yet.
   */
  safePosition(source: string, file: FileKey, base: SafePosition): SafePosition {
    let smallest: SafePosition | undefined
    for (const channel of this.#selector.required) {
      const safe = channel.safePosition(source, file)
      const own = safe?.generation === base.generation ? safe : base
      if (smallest === undefined || own.end < smallest.end) smallest = own
    }
    return smallest ?? base
  }

  /**
   * How many bytes up to `end` of an older generation some channel has not handed on yet: lost if the
   * process ended now, as the file does not have them any more.
   */
  undeliveredBytes(source: string, file: FileKey, base: SafePosition, end: number): number {
    let bytes = 0
    for (const channel of this.#selector.required) {
      const safe = channel.safePosition(source, file) ?? base
      if (safe.generation > base.generation) continue
      bytes = Math.max(bytes, end - (safe.generation === base.generation ? safe.end : base.end))
    }
    return bytes
  }

  /**
   * Sets what is called when the channels stop, after the sinks have: the last moment to note
   * positions. Replaces what was set before.
   */
  noteAtStop(note: () => Promise<void>): void {
    this.#lastNote = note
  }

  #putOptionally(channel: Channel, batch: EventBatch): void {
    const inFlight = this.#optionalPuts.get(channel) ?? 0
    if (inFlight >= maxOptionalPuts) {
      this.#drop(channel, batch, `${inFlight} batches wait for it already`)
      return
    }
    this.#optionalPuts.set(channel, inFlight + 1)
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
