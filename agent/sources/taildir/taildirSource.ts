// Flume's taildir source: follows the lines of all files that match its file groups. A line enters
// each channel exactly once: a put carries its position in the file into the channel, and after a
// start or a failure, reading resumes at the positions of the channels. The position file, written
// periodically, has the positions up to which lines are delivered or durable; memory channels need
// it, and migrations from and to Flume.
//
// Contract. A file is identified by device and inode, never by its name. Files are read one after
// another, so that lines of a rotated file come before those of its successor; the puts of several
// files are in flight together, so that many small files share the syncs of a file channel.
//
// It must never record a position beyond an event that could be lost, read lines of a copy again,
// or let one unreadable file stop the others.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { isOperational } from '../../../protocol/runtime/operational.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { AgentReason } from '../../agentReasons.ts'
import type { ChannelProcessor } from '../../channelProcessor.ts'
import { noFingerprint, type SourcePosition } from '../../channels/sourcePosition.ts'
import { AgentError } from '../../errors.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { SourceCounter, SourceProgress } from '../../monitoring/counters.ts'
import type { Polled } from '../../polled.ts'
import type { FileGroup } from './fileGroup.ts'
import { FileSearch } from './fileSearch.ts'
import { FollowedFiles } from './followedFiles.ts'
import { OpenFiles } from './openFiles.ts'
import type { FileNote } from './positionFile.ts'
import { PositionNotes } from './positionNotes.ts'
import { PutWindow } from './putWindow.ts'
import type { TaildirOptions } from './taildirOptions.ts'
import { fingerprintBefore, type TailChunk, type TailFile } from './tailFile.ts'

/** Maximum puts of one file in flight; they share the syncs of a file channel. */
const maxPutsInFlight = 8
/** Maximum files with puts in flight; each holds at most a chunk of lines. */
const maxFilesInFlight = 64
/**
 * Time after its last line for which a file is read every pollInterval; later, scans detect
 * changes.
 */
const activeMs = 2000
/** Maximum time that a truncated file waits for the position file to be written. */
const longestUnnotedMs = 10_000
/**
 * Time before a refusal counts as over, in ms: a slightly slow sink fills the channel repeatedly.
 */
const blockedSettleMs = 60_000
/** Interval between reads of a file without a name. */
const orphanLookMs = 1000

export interface TaildirDependencies {
  readonly clock: Clock
  readonly disk: Disk
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly processor: ChannelProcessor
  readonly progress: SourceProgress
}

/** A file with puts in flight. */
interface FileInFlight {
  readonly file: TailFile
  readonly puts: PutWindow
}

export class TaildirSource implements Polled {
  readonly #name: string
  readonly #groups: readonly FileGroup[]
  readonly #options: TaildirOptions
  readonly #dependencies: TaildirDependencies
  readonly #openFiles: OpenFiles
  readonly #notes: PositionNotes
  readonly #files: FollowedFiles
  readonly #orphanLooks = new WeakMap<TailFile, number>()
  #notedMs: number
  #retryDelayMs = 0
  readonly #isBlocked: LastingCondition
  #blockedBy = ''
  /** The position file lacks the head of a file, by which the file is found after it is renamed. */
  #mustNote = false

  constructor(
    name: string,
    groups: readonly FileGroup[],
    options: TaildirOptions,
    dependencies: TaildirDependencies,
  ) {
    this.#name = name
    this.#groups = groups
    this.#options = options
    this.#dependencies = dependencies
    const { clock, disk, logger, processor } = dependencies
    this.#notedMs = clock.monotonicMs()
    this.#isBlocked = new LastingCondition({
      ...{ clock, logger, settleMs: blockedSettleMs },
      over: 'channels accept events of the source again',
    })
    this.#openFiles = new OpenFiles(disk)
    this.#notes = new PositionNotes(options.positionFile, disk, logger)
    this.#files = new FollowedFiles({
      source: name,
      options,
      clock,
      logger,
      processor,
      search: new FileSearch(groups, clock, disk, logger),
      openFiles: this.#openFiles,
      notes: this.#notes,
    })
  }

  async start(): Promise<void> {
    const { clock, counter, processor } = this.#dependencies
    await this.#notes.load()
    await this.#openFiles.start()
    // The callback of a failed instance would record outdated positions.
    processor.noteAtStop(async () => {})
    this.#dependencies.progress.tailed = () => this.#files.tailed()
    counter.StartTime = clock.nowMs()
  }

  async stop(): Promise<void> {
    const { processor, counter, clock } = this.#dependencies
    await this.#openFiles.closeAll()
    await this.#note()
    // Sinks stop after their sources and may commit until then.
    processor.noteAtStop(async () => {
      await this.#note()
    })
    counter.StopTime = clock.nowMs()
  }

  troubles(): AgentReason[] {
    const { holds, sinceMs } = this.#isBlocked
    const reasons: AgentReason[] = []
    if (holds) reasons.push({ code: 'SOURCE_BLOCKED', message: this.#blockedBy, sinceMs })
    const { count, first } = this.#files.unreadable()
    if (count > 0) {
      const message = `${count} files cannot be read and are skipped, such as ${first}`
      reasons.push({ code: 'FILES_UNREADABLE', message })
    }
    return reasons
  }

  async process(signal: AbortSignal): Promise<number> {
    let foundAny = false
    try {
      // Recorded before they are read: files may be renamed out of the pattern at any time.
      if (await this.#files.scanIfDue()) this.#mustNote = !(await this.#noteSoon())
      foundAny = await this.#followAll(signal)
    } catch (error) {
      if (!isPassing(error)) throw error
      // Sinks continue while a channel is full.
      await this.#noteIfDue()
      return this.#backOff(error)
    }
    this.#retryDelayMs = 0
    this.#isBlocked.over({ source: this.#name })
    await this.#noteIfDue()
    return foundAny ? 0 : this.#options.pollInterval
  }

  async #noteIfDue(): Promise<void> {
    const sinceMs = this.#dependencies.clock.monotonicMs() - this.#notedMs
    if (!this.#mustNote && sinceMs < this.#options.writePosInterval) return
    this.#mustNote = !(await this.#noteSoon())
  }

  /** Writes the position file, unless that is forced to happen later. */
  async #noteSoon(): Promise<boolean> {
    if (this.#dependencies.rarePoints?.isForced('positions noted late')) return false
    return await this.#note()
  }

  /** A put was refused: returns the time until the next attempt, which grows with each refusal. */
  #backOff(error: AgentError): number {
    const { backoffSleepIncrement, maxBackoffSleep } = this.#options
    this.#retryDelayMs = Math.min(this.#retryDelayMs + backoffSleepIncrement, maxBackoffSleep)
    const fields = { source: this.#name, error, maxRetryMs: maxBackoffSleep }
    this.#isBlocked.met(fields, 'channel refused a put, will retry', error.code)
    this.#blockedBy = error.message
    return this.#retryDelayMs
  }

  /**
   * Reads every file that may have new lines and waits for their puts; stops at the first failure.
   */
  async #followAll(signal: AbortSignal): Promise<boolean> {
    const inFlight: FileInFlight[] = []
    let foundAny = false
    let error: unknown
    const finishOldest = async () => {
      const { file, puts } = inFlight.shift()!
      const failure = await this.#finish(file, puts)
      error ??= failure
    }
    for (const file of this.#files) {
      if (signal.aborted || error !== undefined) break
      if (!this.#isDue(file)) continue
      const puts = new PutWindow(file, maxPutsInFlight)
      inFlight.push({ file, puts })
      try {
        if (await this.#follow(file, puts, signal)) foundAny = true
      } catch (failure) {
        error ??= failure
      }
      error ??= puts.error
      if (inFlight.length >= maxFilesInFlight) await finishOldest()
    }
    while (inFlight.length > 0) await finishOldest()
    if (error !== undefined) throw error
    return foundAny
  }

  #isDue(file: TailFile): boolean {
    const nowMs = this.#dependencies.clock.monotonicMs()
    if (nowMs < file.retryMs) return false
    if (file.hasNews || nowMs - file.lastReadMs < activeMs) return true
    if (this.#isIdle(file)) return file.isOpen || file.partialBytes > 0
    if (!file.isOrphan || nowMs - (this.#orphanLooks.get(file) ?? 0) < orphanLookMs) return false
    this.#orphanLooks.set(file, nowMs)
    return true
  }

  /** Reads one file up to its end; returns whether it had new lines. A failed put is in `puts`. */
  async #follow(file: TailFile, puts: PutWindow, signal: AbortSignal): Promise<boolean> {
    const { clock, counter, logger } = this.#dependencies
    try {
      const batches = await this.#openFiles.use(file, () => this.#read(file, puts, signal))
      if (file.isUnreadable) {
        logger.info({ source: this.#name, file: file.path }, 'file is readable again')
      }
      file.isUnreadable = false
      if (batches === undefined) file.hasNews = false
      else if (batches > 0) {
        file.lastReadMs = clock.monotonicMs()
        this.#mustNote ||= !file.isHeadNoted
      } else if (this.#isIdle(file)) await this.#files.letGo(file)
      return batches !== undefined && batches > 0
    } catch (error) {
      if (error === puts.error) return false
      // A failed system call concerns this file only.
      if (!isOperational(error) || error instanceof AgentError) throw error
      counter.EventReadFail++
      await this.#openFiles.close(file)
      this.#files.skip(file, error)
      return false
    }
  }

  /** Reads and puts lines; returns the number of batches. */
  async #read(file: TailFile, puts: PutWindow, signal: AbortSignal): Promise<number> {
    const { batchSize, maxBatchCount } = this.#options
    let batches = 0
    let isPartial = this.#isIdle(file) && file.partialBytes > 0
    await this.#mustBeNoted(file)
    if (file.checks.length > 0 && !(await file.matches(file.checks))) {
      await this.#restart(file)
      puts.begin()
    }
    file.checks = []
    while (batches < maxBatchCount && !signal.aborted) {
      const before = file.partialBytes
      const read = await file.read(isPartial)
      isPartial = false
      if (read === 'truncated') {
        await puts.settled()
        await this.#restart(file)
        puts.begin()
        continue
      }
      if (read === 'nothing') {
        file.hasNews = false
        // A file whose last line grows is not idle.
        if (file.partialBytes !== before) {
          file.lastReadMs = this.#dependencies.clock.monotonicMs()
        }
        break
      }
      for (let from = 0; from < read.batch.count; from += batchSize) {
        const until = Math.min(from + batchSize, read.batch.count)
        const put = this.#part(file, read, from, until)
        await puts.add(put.position, () =>
          this.#dependencies.processor.process(put.batch, put.position),
        )
        batches++
      }
    }
    return batches
  }

  /** Waits for a file's puts; after a failure, moves the file back to the channels' position. */
  async #finish(file: TailFile, puts: PutWindow): Promise<unknown> {
    await puts.finish()
    const { progress, processor } = this.#dependencies
    progress.bytesRead += puts.putBytes
    const { error } = puts
    if (error === undefined) return undefined
    const known = processor.resumePosition(this.#name, file, undefined)
    if (known === undefined) return error
    const { end, generation, fingerprint, checks } = known
    if (error instanceof AgentError && error.code === 'POSITION_GAP') {
      file.moveTo({ offset: end, generation, fingerprint })
    }
    // A channel may be ahead: if the file is truncated now, it would drop new lines as known.
    if (generation === file.position.generation) file.checks = checks
    return error
  }

  /** Returns the events `[from, until)` of a chunk, with their position in the file. */
  #part(
    file: TailFile,
    chunk: TailChunk,
    from: number,
    until: number,
  ): { batch: EventBatch; position: SourcePosition } {
    const { batch } = chunk
    const origin = chunk.start - batch.start(0)
    const isLast = until === batch.count
    const endInBuffer = isLast ? chunk.end - origin : batch.start(until)
    const position: SourcePosition = {
      source: this.#name,
      path: file.path,
      ...file.identity,
      start: origin + batch.start(from),
      end: origin + endInBuffer,
      fingerprint: fingerprintBefore(batch.bytes, endInBuffer),
    }
    return { batch: this.#withHeaders(file, batch.slice(from, until), origin), position }
  }

  #withHeaders(file: TailFile, batch: EventBatch, origin: number): EventBatch {
    const { fileHeader, fileHeaderKey, byteOffsetHeader } = this.#options
    const group = this.#groups.find(({ name }) => name === file.group)!
    let headers: Headers = group.headers
    if (fileHeader) headers = { ...headers, [fileHeaderKey]: file.path }
    if (!byteOffsetHeader) return headers === batch.headers ? batch : batch.withHeaders(headers)
    const own = new Array<Headers | undefined>(batch.first + batch.count)
    for (let index = 0; index < batch.count; index++) {
      own[batch.first + index] = { byteoffset: String(origin + batch.start(index)) }
    }
    return batch.withHeaders(headers, own)
  }

  /**
   * A followed file was truncated, or replaced by another file with its inode: reads from the
   * start.
   */
  async #restart(file: TailFile): Promise<void> {
    const { logger, clock, processor } = this.#dependencies
    logger.warn(
      { source: this.#name, file: file.path, offset: file.position.offset },
      'file was truncated: reading from its start',
    )
    const { offset: end, generation } = file.position
    const nothingNoted = { end, safeEnd: end, channelEnds: {} }
    const ends = processor.channelEnds(this.#name, file, generation, nothingNoted)
    const checks = processor.resumePosition(this.#name, file, undefined)?.checks ?? []
    const read = { end, fingerprint: file.position.fingerprint }
    const last = checks.reduce((a, b) => (b.end > a.end ? b : a), read)
    file.restart(last, ends, clock.monotonicMs())
    file.checks = []
    // The first put of new content replaces the channels' positions in the old content, which a
    // copy may still need; and events of the old content in memory channels cannot be read again.
    file.mustBeNoted = true
    await this.#putGeneration(file)
  }

  /** Puts the start of a generation, so that channels count older events as not readable again. */
  async #putGeneration(file: TailFile): Promise<void> {
    await this.#mustBeNoted(file)
    const { path, identity } = file
    const position = { source: this.#name, path, ...identity, start: 0, end: 0 }
    await this.#dependencies.processor.putPosition({ ...position, fingerprint: noFingerprint })
  }

  /** Writes the position file if the file's truncation must be recorded before anything is put. */
  async #mustBeNoted(file: TailFile): Promise<void> {
    if (!file.mustBeNoted) return
    const sinceMs = this.#dependencies.clock.monotonicMs() - (file.former?.truncatedMs ?? 0)
    if (!(await this.#note()) && sinceMs < longestUnnotedMs) {
      throw new AgentError(
        'CHANNEL_WRITE',
        `cannot write ${this.#options.positionFile}: the truncated file ${file.path} is not read before that, for at most ${longestUnnotedMs} ms`,
      )
    }
    file.mustBeNoted = false
  }

  #isIdle(file: TailFile): boolean {
    const idleMs = this.#dependencies.clock.monotonicMs() - file.lastReadMs
    return idleMs >= this.#options.idleTimeout
  }

  /** Writes the position file; returns false if that fails. */
  async #note(): Promise<boolean> {
    // Before the first scan no file is known: writing would drop all positions.
    if (!this.#files.hasScanned) return true
    this.#notedMs = this.#dependencies.clock.monotonicMs()
    const files = [...this.#files]
    const notes = files.map((file) => this.#noteOf(file))
    for (const file of [...this.#files.departed]) {
      const note = this.#noteOf(file)
      if (isDelivered(note)) this.#files.forget(file)
      else notes.push(note)
    }
    const isWritten = await this.#notes.write(notes)
    for (const file of files) file.isHeadNoted = isWritten && file.head.length > 0
    return isWritten
  }

  #noteOf(file: TailFile): FileNote {
    const { processor } = this.#dependencies
    const { device, inode, path, position, former } = file
    // Events of the original that memory channels still hold are not delivered for the copy either.
    const baseEnds =
      file.copyOf === undefined
        ? {}
        : processor.formerSafeEnds(this.#name, file.copyOf.file, file.copyOf.former)
    const safe = processor.safePosition(this.#name, file, file.base, baseEnds)
    return {
      device,
      inode,
      path,
      generation: position.generation,
      pos: safe.end,
      channelEnds: processor.safeEnds(this.#name, file, file.base, baseEnds),
      read: Math.max(position.offset, safe.end),
      ...(former && {
        former: {
          end: former.position.end,
          safeEnd: processor.safeEnd(this.#name, file, former.position),
          channelEnds: processor.byName(former.position.channelEnds),
          fingerprint: former.position.fingerprint,
        },
      }),
      fingerprint: safe.fingerprint,
      fingerprintEnd: safe.fingerprintEnd,
      head: file.headFingerprint,
    }
  }
}

function isDelivered({ pos, read, former }: FileNote): boolean {
  return pos >= read && (former === undefined || former.safeEnd >= former.end)
}

/** Whether a failure is retried: the lines are read and put again. */
function isPassing(error: unknown): error is AgentError {
  if (!(error instanceof AgentError)) return false
  return ['CHANNEL_FULL', 'CHANNEL_SPACE', 'CHANNEL_WRITE', 'POSITION_GAP'].includes(error.code)
}
