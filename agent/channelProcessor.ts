// From a source into its channels: interceptors, then one put transaction for each channel. Batches
// are committed in the order of the calls, so a source may have several in flight; the failure of
// one is reported to its own caller.
//
// Positions travel with events. Whatever interceptors drop and selectors split, every required channel
// gets the position of every batch, if need be without events: a channel that missed one would refuse
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
import { batchOf, type EventBatch } from './event.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import type { SourceCounter } from './monitoring/counters.ts'
import type { ChannelSelector } from './selectors/channelSelector.ts'

/**
 * Batches that may wait for an optional channel; further ones are dropped at once. No caller waits
 * for such puts, so a channel that is full would otherwise gather all that a source reads meanwhile.
 */
const maxOptionalPuts = 64

/** What a file's bytes before `end` must be, if it is still the file that was read. */
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
   * What channels and notes know of the file. If the file fails one of them it was replaced, and is
   * another generation: a channel further on than `end` would take its first lines for known.
   */
  readonly checks: readonly FingerprintCheck[]
  /** End of each required channel's content, for channels that were not asked before. */
  readonly channelEnds: readonly number[]
  /** The content before this generation, of which a copy may appear. */
  readonly former: FormerPosition | undefined
}

/** End of the content that was read and is no longer in the file. */
export interface FormerPosition {
  readonly generation: number
  readonly end: number
  readonly fingerprint: Fingerprint
  /** Offset at which this run began to read the file. */
  readonly baseEnd: number
  /** Up to where each required channel has it. */
  readonly channelEnds: readonly number[]
}

/** A source's own note of a position, for channels that know nothing of the file. */
export interface NotedPosition {
  readonly end: number
  readonly generation: number
  readonly checks: readonly FingerprintCheck[]
  /** Up to where each channel, by its name, would lose nothing: at least `end`. */
  readonly channelEnds: Readonly<Record<string, number>>
  /** Of the generation before. */
  readonly former: FormerEnds | undefined
}

/** How far content that is no longer in the file was read and delivered. */
export interface FormerEnds extends FingerprintCheck {
  /** End of the content that no channel would lose. */
  readonly safeEnd: number
  /** Up to where each required channel has it, by its name. */
  readonly channelEnds: Readonly<Record<string, number>>
}

/** The identity by which channels know a file. */
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
   * file. `isRotatedOut`: a note that is missing was dropped, because all channels had handed the file
   * on; otherwise it says that channels that know nothing begin at the start.
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
   * Up to where each required channel has a generation. What was noted stands for channels that know
   * nothing of the file (a memory channel was lost since: `safeEnds` by name, or `safeEnd` for all), or
   * a newer generation only.
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

  /** Ends of all required channels by the channels' names. */
  byName(channelEnds: readonly number[]): Record<string, number> {
    const entries = this.#selector.required.map(({ name }, index) => [name, channelEnds[index]!])
    return Object.fromEntries(entries)
  }

  /** Puts a position without events into every required channel. */
  putPosition(position: SourcePosition): Promise<void> {
    return this.process(batchOf([]), position)
  }

  /**
   * Tells each required channel that knows nothing of a file up to where it has it, so that it takes
   * for known what it has: of a copy, or of a file that a note speaks of. A memory channel answers for
   * that position once it has handed on what it holds.
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
   * Up to where none of the file's events would be lost if the process ended now, over all required
   * channels: what a source may note. `base` is where reading this generation began, for channels
   * that got nothing of it yet, `baseEnds` the same by channel.
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

  /** The same of each required channel, by its name. */
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
   * Up to where nothing of an older generation would be lost if the process ended now, though the file
   * does not have it any more.
   */
  safeEnd(source: string, file: FileKey, former: FormerPosition): number {
    return Math.min(former.end, ...Object.values(this.formerSafeEnds(source, file, former)))
  }

  /** The same of each required channel, by its name. */
  formerSafeEnds(source: string, file: FileKey, former: FormerPosition): Record<string, number> {
    const ends = this.#selector.required.map((channel) => {
      const safe = channel.safePosition(source, file)
      if (safe === undefined) return former.baseEnd
      if (safe.generation > former.generation) return former.end
      return safe.generation === former.generation ? safe.end : 0
    })
    return this.byName(ends)
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
