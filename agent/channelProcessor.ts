// Puts the batches of a source into its channels: runs the interceptors, then one put transaction
// for each channel. Batches are committed in the order of the calls, so a source may have several
// in flight; a failure is reported to the caller of its batch.
//
// Positions travel with events. Whatever interceptors drop and selectors split, every required
// channel must get the position of every batch, if necessary without events: a channel that missed
// a position would refuse the file's next batch as a gap. The second half of this file computes,
// from the positions of the channels and the source's own notes, where reading resumes and what the
// source may record.

import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { Channel } from './channels/channel.ts'
import {
  type FileIdentity,
  type Fingerprint,
  noFingerprint,
  type SafePosition,
  type SourcePosition,
} from './channels/sourcePosition.ts'
import { batchOf, type EventBatch } from './event.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import type { SourceCounter } from './monitoring/counters.ts'
import type { ChannelSelector } from './selectors/channelSelector.ts'

/**
 * Maximum number of puts in flight into an optional channel; further ones are dropped. The source
 * does not wait for them, so without a limit a full channel would collect all that the source
 * reads.
 */
const maxOptionalPuts = 64

/** The fingerprint of the bytes before `end`, if the file is still the one that was read. */
export interface FingerprintCheck {
  readonly end: number
  readonly fingerprint: Fingerprint
}

/** The position from which a source resumes a file. */
export interface ResumePosition {
  readonly end: number
  readonly generation: number
  readonly fingerprint: Fingerprint
  /**
   * Fingerprints that channels and notes have of the file. A file that fails one of them was
   * replaced and is a new generation: otherwise a channel beyond `end` would drop its first lines
   * as known.
   */
  readonly checks: readonly FingerprintCheck[]
  /** End of the content in each required channel, in the order of the selector. */
  readonly channelEnds: readonly number[]
  /** The content of the previous generation, of which a copy may appear. */
  readonly former: FormerPosition | undefined
}

/** The end of content that was read but is no longer in the file. */
export interface FormerPosition {
  readonly generation: number
  readonly end: number
  readonly fingerprint: Fingerprint
  /** Offset at which this run began to read the file. */
  readonly baseEnd: number
  /** End of the content in each required channel. */
  readonly channelEnds: readonly number[]
}

/** A source's own note of a position, for channels without a position of the file. */
export interface NotedPosition {
  readonly end: number
  readonly generation: number
  readonly checks: readonly FingerprintCheck[]
  /** By channel name, the position up to which the channel would lose nothing: at least `end`. */
  readonly channelEnds: Readonly<Record<string, number>>
  /** The previous generation. */
  readonly former: FormerEnds | undefined
}

/** How far content that is no longer in the file was read, and how far it was delivered. */
export interface FormerEnds extends FingerprintCheck {
  /** End of the content that no channel would lose. */
  readonly safeEnd: number
  /** End of the content in each required channel, by channel name. */
  readonly channelEnds: Readonly<Record<string, number>>
}

/** The identity of a file in channels. */
export type FileKey = Pick<FileIdentity, 'device' | 'inode'>

export class ChannelProcessor {
  readonly #interceptors: readonly Interceptor[]
  readonly #selector: ChannelSelector
  readonly #counter: SourceCounter
  readonly #logger: Logger
  /** Number of puts in flight into each optional channel. */
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

  /** The lowest transactionCapacity of the channels. */
  get transactionCapacity(): number {
    const { required, optional } = this.#selector
    return Math.min(...[...required, ...optional].map((channel) => channel.transactionCapacity))
  }

  /**
   * Puts a batch. Resolves when all required channels have it; fails with the AgentError of the
   * first that refuses it. `position` covers the whole batch, which then has `sourceEnds`.
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
   * Returns the position where the source must resume a file, so that every required channel gets
   * all of it: the lowest last position of the channels in the newest generation of the file. The
   * position of a channel takes precedence over the source's note, even a later one (the channel's
   * directory may be an older copy); the note applies to channels without a position. Undefined if
   * neither channels nor note have a position. Without note, channels without a position start at
   * 0; or, with `isRotatedOut`, at the furthest position, because the note was dropped when all
   * channels had delivered the file.
   */
  resumePosition(
    source: string,
    file: FileKey,
    noted: NotedPosition | undefined,
    isRotatedOut = false,
  ): ResumePosition | undefined {
    const known = this.#selector.required.map((channel) => channel.lastPosition(source, file))
    if (noted === undefined && known.every((position) => position === undefined)) return undefined
    const generation = Math.max(
      noted?.generation ?? 0,
      ...known.map((position) => position?.generation ?? 0),
    )
    const note = noted?.generation === generation ? noted : undefined
    const checks = note === undefined ? [] : [...note.checks]
    const furthest = Math.max(
      0,
      ...known.map((position) => (position?.generation === generation ? position.end : 0)),
    )
    const unknownEnd = isRotatedOut ? furthest : 0
    const channelEnds = this.#selector.required.map(({ name }, index) => {
      const position = known[index]
      if (position === undefined) return note?.channelEnds[name] ?? note?.end ?? unknownEnd
      if (position.generation !== generation) return 0
      checks.push({ end: position.end, fingerprint: position.fingerprint })
      return position.end
    })
    const end = Math.min(...channelEnds)
    const own = checks.find((check) => check.end === end && check.fingerprint.lengthBytes > 0)
    const fingerprint = own?.fingerprint ?? noFingerprint
    const former = this.#formerPosition(source, file, generation, noted)
    return { end, generation, fingerprint, checks, channelEnds, former }
  }

  /** Whether every required channel has a position of the file. */
  isKnownToAll(source: string, file: FileKey): boolean {
    return this.#selector.required.every((channel) => channel.lastPosition(source, file))
  }

  /**
   * Returns the end of a generation's content in each required channel. The note applies to
   * channels that have no position of the file (a memory channel was lost since: `safeEnds` by
   * name, or `safeEnd` for all), or only one of a newer generation.
   */
  channelEnds(
    source: string,
    file: FileKey,
    generation: number,
    noted: Pick<FormerEnds, 'end' | 'safeEnd' | 'channelEnds'>,
    safeEnds: Readonly<Record<string, number>> = {},
  ): number[] {
    return this.#selector.required.map((channel) => {
      const position = channel.lastPosition(source, file)
      if (position === undefined) return safeEnds[channel.name] ?? noted.safeEnd
      if (position.generation > generation) return noted.channelEnds[channel.name] ?? noted.end
      return position.generation === generation ? position.end : 0
    })
  }

  /** Maps the ends of all required channels to the channels' names. */
  byName(channelEnds: readonly number[]): Record<string, number> {
    const entries = this.#selector.required.map(({ name }, index) => [name, channelEnds[index]!])
    return Object.fromEntries(entries)
  }

  /** Puts a position without events into every required channel. */
  putPosition(position: SourcePosition): Promise<void> {
    return this.process(batchOf([]), position)
  }

  /**
   * Puts a position without events into each required channel that has none of a file, although it
   * has the content: because the file is a copy, or is known from a note only. The channel then
   * drops that content as known. In a memory channel the position counts once all earlier events
   * have left.
   */
  async putChannelEnds(
    channelEnds: readonly number[],
    positionAt: (end: number) => Promise<SourcePosition>,
  ): Promise<void> {
    for (const [index, channel] of this.#selector.required.entries()) {
      const end = channelEnds[index]!
      if (end === 0) continue
      const position = await positionAt(end)
      const known = channel.lastPosition(position.source, position)
      if (known !== undefined && known.generation >= position.generation) continue
      await put(channel, batchOf([]), position)
    }
  }

  #formerPosition(
    source: string,
    file: FileKey,
    newest: number,
    noted: NotedPosition | undefined,
  ): FormerPosition | undefined {
    const note = noted?.generation === newest ? noted.former : undefined
    let generation = note === undefined ? -1 : newest - 1
    let end = note?.end ?? 0
    let fingerprint = note?.fingerprint ?? noFingerprint
    for (const channel of this.#selector.required) {
      const position = channel.lastPosition(source, file)
      if (position === undefined || position.generation >= newest) continue
      const isNewer = position.generation > generation
      if (!isNewer && (position.generation < generation || position.end <= end)) continue
      generation = position.generation
      end = position.end
      fingerprint = position.fingerprint
    }
    if (generation < 0) return undefined
    const isNoted = note !== undefined && generation === newest - 1
    const safeEnd = isNoted ? note.safeEnd : 0
    const ends = isNoted ? note.channelEnds : {}
    const channelEnds = this.channelEnds(source, file, generation, {
      end,
      safeEnd,
      channelEnds: ends,
    })
    return { generation, end, fingerprint, baseEnd: safeEnd, channelEnds }
  }

  /**
   * Returns the position up to which no event of a file would be lost if the process ended now,
   * over all required channels: the position that a source may record. `base` is where reading of
   * this generation began, for channels that got nothing of it yet; `baseEnds` is the same by
   * channel name.
   */
  safePosition(
    source: string,
    file: FileKey,
    base: SafePosition,
    baseEnds: Readonly<Record<string, number>> = {},
  ): SafePosition {
    const all = this.#safePositions(source, file, base, baseEnds)
    return all.reduce((a, b) => (b.end < a.end ? b : a), all[0] ?? base)
  }

  /** Returns the end of `safePosition` of each required channel, by channel name. */
  safeEnds(
    source: string,
    file: FileKey,
    base: SafePosition,
    baseEnds: Readonly<Record<string, number>> = {},
  ): Record<string, number> {
    return this.byName(this.#safePositions(source, file, base, baseEnds).map(({ end }) => end))
  }

  #safePositions(
    source: string,
    file: FileKey,
    base: SafePosition,
    baseEnds: Readonly<Record<string, number>>,
  ): SafePosition[] {
    return this.#selector.required.map((channel) => {
      const safe = channel.safePosition(source, file)
      if (safe?.generation === base.generation) return safe
      return { ...base, end: baseEnds[channel.name] ?? base.end }
    })
  }

  /**
   * Returns the position up to which no event of an older generation, which the file no longer has,
   * would be lost if the process ended now.
   */
  safeEnd(source: string, file: FileKey, former: FormerPosition): number {
    return Math.min(former.end, ...this.#formerSafeEnds(source, file, former))
  }

  /**
   * Returns the same of each required channel, by channel name, and never more than the channel has
   * of that generation: a copy of it may still bring the rest.
   */
  formerSafeEnds(source: string, file: FileKey, former: FormerPosition): Record<string, number> {
    const ends = this.#formerSafeEnds(source, file, former)
    return this.byName(ends.map((end, index) => Math.min(end, former.channelEnds[index]!)))
  }

  #formerSafeEnds(source: string, file: FileKey, former: FormerPosition): number[] {
    return this.#selector.required.map((channel) => {
      const safe = channel.safePosition(source, file)
      if (safe === undefined) return former.baseEnd
      if (safe.generation > former.generation) return former.end
      return safe.generation === former.generation ? safe.end : 0
    })
  }

  /**
   * Sets the callback for the stop of the channels, after the sinks have stopped: the last chance
   * to record positions. Replaces an earlier callback.
   */
  noteAtStop(note: () => Promise<void>): void {
    this.#lastNote = note
  }

  #putOptionally(channel: Channel, batch: EventBatch): void {
    const inFlight = this.#optionalPuts.get(channel) ?? 0
    if (inFlight >= maxOptionalPuts) {
      this.#drop(channel, batch, `${inFlight} batches already wait for it`)
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
      'optional channel refused events: dropped',
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
