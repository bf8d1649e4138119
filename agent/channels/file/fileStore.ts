// The log of a file channel: files written front to back, one after another, in the `dataDirs` in
// turn. Puts, prepared takes and takes are records of the same log, so their order on disk is the
// order in which they happened. The snapshot at the start of each file holds the state before it.
//
// A failed write (usually a full disk) fails every write queued after it. The log is then truncated
// to its last durable write before anything else is written (`#repair`), and the channel recovers
// with the disk. Until then it can be drained: reserved space holds the records of takes, in a file
// of their own, which is replaced by a snapshot before it has used up that space.
//
// It must never acknowledge a record that is not durable, write after a failed write without
// `#repair`, or open a log with a damaged record before its end.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskLock } from '../../../protocol/runtime/disk/disk.ts'
import { makeDurableDirectory } from '../../../protocol/runtime/disk/durableDirectory.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { AgentError } from '../../errors.ts'
import type { EventBatch } from '../../event.ts'
import type { FileChannelCounter } from '../../monitoring/counters.ts'
import type { ChannelState, PreparedTake } from '../channelState.ts'
import { type Entry, EntryList } from '../entryList.ts'
import type { EventStore, StoredPut } from '../eventStore.ts'
import type { Range } from '../rangeSet.ts'
import type { FileIdentity, SafePosition } from '../sourcePosition.ts'
import { CommitQueue } from './commitQueue.ts'
import { framePrefixBytes, isHeadValid, readFramePrefix } from './frame.ts'
import { type LogFile, pathOf } from './logFile.ts'
import { LogFiles } from './logFiles.ts'
import {
  readBatch,
  readRecord,
  writePrepare,
  writePut,
  writeRelease,
  writeSnapshot,
  writeTake,
} from './logRecord.ts'
import { LogReplay } from './logReplay.ts'
import { LogScanner } from './logScanner.ts'
import { isOutOfSpace, SpaceReserve } from './spaceReserve.ts'

export interface FileStoreOptions {
  readonly channel: string
  readonly checkpointDirectory: string
  readonly dataDirectories: readonly string[]
  readonly maxFileBytes: number
  readonly minimumRequiredBytes: number
  /** Bytes of events that are also kept in memory, so that a sink that keeps up reads no file. */
  readonly cacheBytes: number
}

export interface FileStoreDependencies {
  readonly disk: Disk
  readonly logger: Logger
  readonly scheduler: Scheduler
  readonly rarePoints?: RarePoints | undefined
}

interface FileEntry extends Entry {
  readonly logFile: LogFile
  readonly position: number
  readonly sizeBytes: number
  /** Bytes of the cache that the entry uses; 0 while it is not cached. */
  cachedBytes: number
}

/** A write of the log at a position. */
interface QueuedWrite {
  readonly logFile: LogFile
  readonly position: number
  readonly chunks: readonly Buffer[]
  /** `lowestHeld` when the write was queued: once it is durable, lower events never return. */
  readonly lowestHeld: number
}

/** Bytes written between checks of free space: a small part of the required space. */
const spaceLookBytes = 1024 * 1024

/** A snapshot larger than this share (1/n) of the reserve would use up too much of its space. */
const maxSnapshotShare = 8

export class FileStore implements EventStore {
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #scheduler: Scheduler
  readonly #options: FileStoreOptions
  readonly #counter: FileChannelCounter
  readonly #reserve: SpaceReserve
  readonly #entries = new EntryList<FileEntry>()
  readonly #commits: CommitQueue<QueuedWrite>
  /**
   * Records of takes and releases that are not durable yet, in order. Their operations have
   * happened and no caller waits for them, so `#repair` writes them again after a failed write.
   */
  readonly #unwritten = new Set<Buffer>()
  readonly #writer = new ByteWriter(64 * 1024)
  #state: ChannelState | undefined
  #locks: DiskLock[] = []
  readonly #files: LogFiles
  /** Position of the next queued write in the last file. */
  #queuedBytes = 0
  #cachedBytes = 0
  #bytesSinceLook = 0
  #freeBytes = Number.POSITIVE_INFINITY
  #lookingForSpace: Promise<void> | undefined
  #repairing: Promise<void> | undefined
  /** Set until the log can be written again: failed repairs are not logged. */
  #isFailureLogged = false

  constructor(
    { disk, logger, scheduler, rarePoints }: FileStoreDependencies,
    options: FileStoreOptions,
    counter: FileChannelCounter,
  ) {
    this.#disk = disk
    this.#logger = logger
    this.#scheduler = scheduler
    this.#commits = new CommitQueue(
      (group) => this.#writeGroup(group),
      (error) => this.#writeFailed(error),
      scheduler,
      rarePoints,
    )
    this.#options = options
    this.#counter = counter
    this.#files = new LogFiles(disk, options.dataDirectories)
    this.#reserve = new SpaceReserve(disk, options.dataDirectories[0]!, options.maxFileBytes)
  }

  get pendingWrites(): number {
    return this.#commits.length
  }

  async open(state: ChannelState, nowMs: number): Promise<void> {
    this.#state = state
    try {
      await this.#lockDirectories()
      await this.#recover(state, nowMs)
      await this.#beginFile(this.#snapshot()).catch(async (error: unknown) => {
        // On a full disk the channel opens all the same: draining it frees space.
        if (!isOutOfSpace(error)) throw error
        await this.#tryRepair()
      })
      await this.#lookForSpace()
    } catch (error) {
      await this.#closeFiles()
      throw error instanceof AgentError ? error : this.#unopenable(error)
    }
  }

  async close(): Promise<void> {
    await this.#commits.idle()
    // The last attempt to record which events have left the channel.
    if (this.#commits.failure !== undefined) await this.#tryRepair()
    await this.#commits.idle()
    await this.#lookingForSpace
    await this.#closeFiles()
    this.#entries.clear()
  }

  checkSpace(): void {
    const { failure } = this.#commits
    if (failure !== undefined) {
      void this.#tryRepair()
      throw failure
    }
    const { minimumRequiredBytes, channel, dataDirectories } = this.#options
    if (this.#freeBytes >= minimumRequiredBytes && this.#reserve.exists) return
    // Refused puts write nothing, so free space is checked again here; the next put sees the
    // result.
    void this.#lookForSpace()
    const lacking =
      this.#freeBytes < minimumRequiredBytes
        ? `less than minimumRequiredSpace (${minimumRequiredBytes} bytes) is free in ${dataDirectories.join(', ')}: puts are refused; free space or lower minimumRequiredSpace`
        : `no space left in ${dataDirectories[0]}: puts are refused until space is free, events can still be taken`
    throw new AgentError('CHANNEL_SPACE', `channel ${channel}: ${lacking}`)
  }

  put(puts: readonly StoredPut[]): Promise<void> {
    if (puts.length === 0) return Promise.resolve()
    const chunks: Buffer[] = []
    const frames: { put: StoredPut; offset: number; sizeBytes: number }[] = []
    let total = 0
    puts.forEach((put, index) => {
      const { nextEvent } = this.#state!
      const body = writePut(this.#writer, put, nextEvent, index === puts.length - 1)
      const head = this.#takeWritten()
      chunks.push(head, body)
      frames.push({ put, offset: total, sizeBytes: head.length + body.length })
      total += head.length + body.length
    })
    const first = puts.find(({ range }) => range !== undefined)?.range?.from
    const { durable, logFile, position } = this.#queue(chunks, total, first !== undefined)
    for (const { put, offset, sizeBytes } of frames) {
      if (put.range === undefined) continue
      const { from, until } = put.range
      const entry: FileEntry = {
        from,
        until,
        putMs: put.putMs,
        batch: undefined,
        logFile,
        position: position + offset,
        sizeBytes,
        cachedBytes: 0,
      }
      this.#cache(entry, put.batch)
      this.#entries.push(entry)
    }
    if (first === undefined) return durable
    return durable.catch((error: unknown) => {
      for (const entry of this.#entries.dropFrom(first)) this.#cachedBytes -= entry.cachedBytes
      throw error
    })
  }

  async makeWritable(): Promise<void> {
    if (this.#commits.failure !== undefined) await this.#tryRepair()
    if (this.#commits.failure !== undefined) throw this.#commits.failure
  }

  async prepare(take: PreparedTake): Promise<void> {
    writePrepare(this.#writer, take)
    const bytes = this.#takeWritten()
    await this.#queue([bytes], bytes.length).durable
  }

  take(ranges: readonly Range[], preparedId: number): void {
    writeTake(this.#writer, ranges, preparedId)
    this.#queueUnawaited()
    this.#dropDrained(ranges)
  }

  release(preparedId: number): void {
    writeRelease(this.#writer, preparedId)
    this.#queueUnawaited()
  }

  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined {
    const position = this.#state!.positions.get(source, file)
    return position && { ...position, fingerprintEnd: position.end }
  }

  entryHolding(event: number): Entry {
    return this.#entries.holding(event)
  }

  putMsOf(event: number): number | undefined {
    return this.#entries.putMsOf(event)
  }

  async load(entry: Entry): Promise<EventBatch> {
    const { logFile, position, sizeBytes } = entry as FileEntry
    const bytes = Buffer.allocUnsafeSlow(sizeBytes)
    const filled = await logFile.file!.read(bytes, position)
    const prefix = filled === sizeBytes ? readFramePrefix(bytes, 0) : undefined
    if (prefix === undefined || !isHeadValid(bytes, 0, prefix))
      throw this.#damaged(logFile, position)
    const bodyAt = framePrefixBytes + prefix.headBytes
    const head = bytes.subarray(framePrefixBytes, bodyAt)
    const record = readRecord(head)
    assert(record.type === 'put', 'an entry refers to a put record')
    const batch = readBatch(head, record, bytes, bodyAt)
    // Cached until its events have left: the next take probably continues in it.
    this.#cache(entry as FileEntry, batch, true)
    return batch
  }

  #cache(entry: FileEntry, batch: EventBatch, always = false): void {
    if (entry.batch !== undefined) return
    if (!always && this.#cachedBytes + entry.sizeBytes > this.#options.cacheBytes) return
    entry.batch = batch
    entry.cachedBytes = entry.sizeBytes
    this.#cachedBytes += entry.cachedBytes
  }

  #dropDrained(ranges: readonly Range[]): void {
    const state = this.#state!
    for (const { from, until } of ranges) {
      for (const entry of this.#entries.within(from, until)) {
        if (entry.batch === undefined || state.heldOf(entry).length > 0) continue
        entry.batch = undefined
        this.#cachedBytes -= entry.cachedBytes
        entry.cachedBytes = 0
      }
    }
    this.#entries.dropBelow(state.lowestHeld)
  }

  #takeWritten(): Buffer {
    const bytes = Buffer.from(this.#writer.written())
    this.#writer.reset()
    return bytes
  }

  /**
   * Queues a record that no caller waits for: if a crash loses it, its events are delivered again,
   * under their stamp if their take was prepared.
   */
  #queueUnawaited(): void {
    const bytes = this.#takeWritten()
    this.#unwritten.add(bytes)
    if (this.#commits.failure !== undefined) return
    this.#queue([bytes], bytes.length).durable.then(
      () => this.#unwritten.delete(bytes),
      () => {},
    )
  }

  /** Assigns a write its position in the log; starts the next file once the last one is full. */
  #queue(
    chunks: readonly Buffer[],
    sizeBytes: number,
    hasEvents = false,
  ): { durable: Promise<void>; logFile: LogFile; position: number } {
    const logFile = this.#files.last!
    logFile.hasEvents ||= hasEvents
    const position = this.#queuedBytes
    this.#queuedBytes += sizeBytes
    const { lowestHeld } = this.#state!
    const durable = this.#commits.append({ logFile, position, chunks, lowestHeld })
    // After the write, never before it: the snapshot must not include a put that may be torn.
    if (this.#isFileFull()) this.#beginFile(this.#snapshot()).catch(() => {})
    return { durable, logFile, position }
  }

  #isFileFull(): boolean {
    if (this.#queuedBytes >= this.#options.maxFileBytes) return true
    const { hasEvents, snapshotBytes } = this.#files.last!
    if (this.#reserve.exists || hasEvents) return false
    // On a full disk the reserve's space must hold this file and the snapshot that replaces it.
    const usesHalf = this.#queuedBytes - snapshotBytes >= this.#reserve.sizeBytes / 2
    return usesHalf && this.#fitsReserve(snapshotBytes)
  }

  #fitsReserve(snapshotBytes: number): boolean {
    return snapshotBytes <= this.#reserve.sizeBytes / maxSnapshotShare
  }

  #snapshot(): Buffer {
    const state = this.#state!
    writeSnapshot(this.#writer, {
      nextEvent: state.nextEvent,
      nextPreparedId: state.nextPreparedId,
      positions: [...state.appendedPositions.all()],
      lastStamps: state.lastStamps,
      contents: { held: state.held, prepared: [...state.prepared.values()] },
    })
    return this.#takeWritten()
  }

  /** Queues the next file; a failure fails the writes after it. */
  #beginFile(snapshot: Buffer, directory?: string): Promise<void> {
    const { nextEvent, lowestHeld } = this.#state!
    const logFile = this.#files.begin(nextEvent, snapshot.length, directory)
    this.#queuedBytes = snapshot.length
    return this.#commits.append({ logFile, position: 0, chunks: [snapshot], lowestHeld })
  }

  /** Writes and syncs file by file: a file is complete on disk before the next one exists. */
  async #writeGroup(group: readonly QueuedWrite[]): Promise<void> {
    const ends = new Map<LogFile, number>()
    for (let first = 0; first < group.length; ) {
      const { logFile, position } = group[first]!
      let end = first
      const chunks: Buffer[] = []
      while (end < group.length && group[end]!.logFile === logFile) {
        chunks.push(...group[end++]!.chunks)
      }
      const isNew = await this.#files.create(logFile)
      await logFile.file!.write(chunks, position)
      await logFile.file!.sync()
      if (isNew) await this.#disk.syncDirectory(logFile.directory)
      ends.set(logFile, position + chunks.reduce((sum, chunk) => sum + chunk.length, 0))
      first = end
    }
    // After all writes: a group that fails half way is not acknowledged, and `#repair` truncates
    // it.
    for (const [logFile, durableBytes] of ends) logFile.durableBytes = durableBytes
    await this.#files.removeUnneeded(group.at(-1)!.lowestHeld).catch((error: unknown) => {
      const { channel } = this.#options
      this.#logger.warn({ channel, error }, 'failed to delete drained log file, will retry')
    })
    for (const { chunks } of group) {
      for (const chunk of chunks) this.#bytesSinceLook += chunk.length
    }
    if (this.#bytesSinceLook >= spaceLookBytes) void this.#lookForSpace()
  }

  /** Makes the log writable after a failed write; if that fails, `#commits.failure` stays set. */
  #tryRepair(): Promise<void> {
    this.#repairing ??= this.#repair()
      .catch((error: unknown) => this.#commits.fail(error))
      .finally(() => {
        this.#repairing = undefined
        this.#countHealth()
      })
    return this.#repairing
  }

  async #repair(): Promise<void> {
    await this.#commits.idle()
    // Until now the state may have had what failed writes were to record.
    await this.#scheduler.nextTurn()
    const wasFull = isOutOfSpace(this.#commits.failure)
    await this.#files.removeUnwritten()
    const { last } = this.#files
    if (last !== undefined) {
      await last.file!.truncate(last.durableBytes)
      await last.file!.sync()
      last.endEvent = undefined
      this.#queuedBytes = last.durableBytes
      await this.#files.removeUnneeded(this.#state!.lowestHeld)
    }
    if (wasFull) await this.#reserve.release()
    this.#commits.resume()
    // Synchronously after `resume`: no later record may precede the ones that are written again.
    await this.#writeAgain()
    this.#isFailureLogged = false
    const { channel } = this.#options
    this.#logger.info({ channel }, 'the channel log can be written again')
  }

  /**
   * Writes the records of takes and releases whose write failed. On a full disk, a snapshot in a
   * new file repeats them: the file before it can then be deleted once it is drained.
   */
  async #writeAgain(): Promise<void> {
    const unwritten = [...this.#unwritten]
    const sizeBytes = unwritten.reduce((sum, bytes) => sum + bytes.length, 0)
    const snapshot = this.#snapshot()
    if (this.#files.last === undefined) await this.#beginFile(snapshot)
    else if (!this.#reserve.exists && this.#fitsReserve(snapshot.length)) {
      await this.#beginFile(snapshot, this.#options.dataDirectories[0])
    } else if (sizeBytes > 0) await this.#queue(unwritten, sizeBytes).durable
    for (const bytes of unwritten) this.#unwritten.delete(bytes)
  }

  #writeFailed(cause: unknown): AgentError {
    if (cause instanceof AgentError) return cause
    const { channel, dataDirectories } = this.#options
    this.#counter.Unhealthy = 1
    const { message } = cause as Error
    const error = isOutOfSpace(cause)
      ? new AgentError(
          'CHANNEL_SPACE',
          `channel ${channel}: cannot write the log in ${dataDirectories.join(', ')}: no space left; puts are refused until space is free`,
          cause,
        )
      : new AgentError(
          'CHANNEL_WRITE',
          `channel ${channel}: failed to write the log in ${dataDirectories.join(', ')}: ${message}; puts are refused until it can be written again`,
          cause,
        )
    if (!this.#isFailureLogged) {
      this.#logger.error({ channel, error: error.message }, 'failed to write the channel log')
    }
    this.#isFailureLogged = true
    return error
  }

  #countHealth(): void {
    const isShort = this.#freeBytes < this.#options.minimumRequiredBytes || !this.#reserve.exists
    this.#counter.Unhealthy = this.#commits.failure !== undefined || isShort ? 1 : 0
  }

  async #lockDirectories(): Promise<void> {
    const { checkpointDirectory, dataDirectories } = this.#options
    for (const directory of new Set([checkpointDirectory, ...dataDirectories])) {
      await makeDurableDirectory(this.#disk, directory)
      this.#locks.push(await this.#disk.lock(directory))
    }
  }

  async #recover(state: ChannelState, nowMs: number): Promise<void> {
    const { files, missing } = await this.#files.list()
    if (missing !== undefined) throw this.#missing(missing)
    const replay = new LogReplay<{ logFile: LogFile; position: number; sizeBytes: number }>(state)
    for (const logFile of files) {
      logFile.file = await this.#disk.open(pathOf(logFile), 'write')
      const { sizeBytes: fileBytes } = await logFile.file.stat()
      const scanner = new LogScanner(logFile.file, fileBytes)
      for (;;) {
        const next = await this.#scan(scanner, logFile)
        if (next === undefined) break
        const { record, position, sizeBytes } = next
        for (const { range, place } of replay.apply(record, { logFile, position, sizeBytes })) {
          const { from, until } = range
          const entry = { from, until, putMs: nowMs, batch: undefined, cachedBytes: 0 }
          this.#entries.push({ ...entry, ...place })
          logFile.hasEvents = true
        }
      }
      logFile.endEvent = state.nextEvent
      logFile.durableBytes = scanner.validBytes
      if (logFile === this.#files.last) await this.#settleTail(logFile, fileBytes)
      else if (scanner.validBytes < fileBytes) throw this.#damaged(logFile, scanner.validBytes)
    }
    replay.finish()
    this.#entries.dropBelow(state.lowestHeld)
  }

  /** Reads a record. A malformed one with a valid checksum was written by another version. */
  async #scan(scanner: LogScanner, logFile: LogFile) {
    try {
      return await scanner.next()
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      throw this.#damaged(logFile, scanner.validBytes, error)
    }
  }

  /**
   * Makes the last file durable as it was read: a killed process may have left writes in the page
   * cache. Truncates a torn write at its end, which was never acknowledged.
   */
  async #settleTail(logFile: LogFile, fileBytes: number): Promise<void> {
    const { file, directory, durableBytes: validBytes } = logFile
    if (validBytes < fileBytes) {
      this.#logger.warn(
        { channel: this.#options.channel, file: pathOf(logFile), validBytes, fileBytes },
        'truncated a torn write at the end of the channel log',
      )
    }
    if (validBytes === 0) return await this.#files.removeUnwritten()
    if (validBytes < fileBytes) await file!.truncate(validBytes)
    await file!.sync()
    await this.#disk.syncDirectory(directory)
  }

  /** Checks free space, one check at a time; after a failure the next refused put checks again. */
  #lookForSpace(): Promise<void> {
    this.#lookingForSpace ??= this.#checkFreeSpace()
      .catch((error: unknown) => {
        const { channel } = this.#options
        this.#logger.warn({ channel, error }, 'failed to check free disk space')
      })
      .finally(() => {
        this.#lookingForSpace = undefined
        this.#countHealth()
      })
    return this.#lookingForSpace
  }

  async #checkFreeSpace(): Promise<void> {
    this.#bytesSinceLook = 0
    const free = this.#options.dataDirectories.map((directory) => this.#disk.freeBytes(directory))
    this.#freeBytes = Math.min(...(await Promise.all(free)))
    await this.#reserve.keep(this.#freeBytes)
  }

  async #closeFiles(): Promise<void> {
    await this.#files.close()
    for (const lock of this.#locks.splice(0)) await lock.release()
  }

  #unopenable(error: unknown): unknown {
    if (!(error instanceof Error) || !('syscall' in error)) return error
    const { channel, checkpointDirectory, dataDirectories } = this.#options
    return new AgentError(
      'CHANNEL_WRITE',
      `channel ${channel} cannot be opened: ${error.message}; checkpointDir ${checkpointDirectory} and dataDirs ${dataDirectories.join(', ')} must be directories that the agent can write`,
      error,
    )
  }

  #damaged(logFile: LogFile, position: number, cause?: unknown): AgentError {
    return new AgentError(
      'CHANNEL_CORRUPT',
      `channel ${this.#options.channel}: ${pathOf(logFile)} is corrupt at offset ${position}: restore the file, or move the channel's directories away to start with an empty channel`,
      cause,
    )
  }

  #missing(number: number): AgentError {
    return new AgentError(
      'CHANNEL_CORRUPT',
      `channel ${this.#options.channel}: log file ${number} is missing from ${this.#options.dataDirectories.join(', ')}: restore it, or move the channel's directories away to start with an empty channel`,
    )
  }
}
