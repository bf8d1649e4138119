// A file channel's events on disk: log files written front to back, one after another, in the
// `dataDirs` in turn. Puts, prepared takes and takes are records of the same log, so their order on
// disk is the order in which they happened. A file is deleted once all events in it and before it
// have left the channel; the snapshot at the start of each file carries over what must be known.

import { dirname, join } from 'node:path'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile, DiskLock } from '../../../protocol/runtime/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import { AgentError } from '../../errors.ts'
import type { EventBatch } from '../../event.ts'
import type { ChannelState, PreparedTake } from '../channelState.ts'
import { type Entry, EntryList } from '../entryList.ts'
import type { EventStore, StoredPut } from '../eventStore.ts'
import type { Range } from '../rangeSet.ts'
import { framePrefixBytes, isHeadValid, readFramePrefix } from './frame.ts'
import { GroupCommit } from './groupCommit.ts'
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

export interface FileStoreOptions {
  readonly channel: string
  readonly checkpointDirectory: string
  readonly dataDirectories: readonly string[]
  readonly maxFileBytes: number
  readonly minimumRequiredBytes: number
  /** Bytes of events kept in memory beside the disk, so that a sink that keeps up reads no file. */
  readonly cacheBytes: number
}

interface LogFile {
  readonly number: number
  readonly path: string
  readonly directory: string
  /** Undefined until the file is created, when its first write is due. */
  file: DiskFile | undefined
  /** Set once the next file is begun: every event in this one is below it. */
  endEvent: number | undefined
}

interface FileEntry extends Entry {
  readonly logFile: LogFile
  readonly position: number
  readonly sizeBytes: number
  /** What it counts in the cache, while it is there. */
  cachedBytes: number
}

/** One write of the log, at its place. */
interface QueuedWrite {
  readonly logFile: LogFile
  readonly position: number
  readonly chunks: readonly Buffer[]
  /** `lowestHeld` when it was queued: once it is durable, events below that are gone for good. */
  readonly lowestHeld: number
}

const filePrefix = 'log-'

/** Free space is looked at again after so many bytes. */
const spaceCheckBytes = 16 * 1024 * 1024

export class FileStore implements EventStore {
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #options: FileStoreOptions
  readonly #entries = new EntryList<FileEntry>()
  readonly #commits = new GroupCommit<QueuedWrite>((group) => this.#writeGroup(group))
  readonly #writer = new ByteWriter(64 * 1024)
  #state: ChannelState | undefined
  #locks: DiskLock[] = []
  /** In order; the last one is written to. */
  #files: LogFile[] = []
  /** Where the next write will be queued in the last file. */
  #queuedBytes = 0
  #cachedBytes = 0
  #bytesSinceSpaceCheck = 0
  #freeBytes = Number.POSITIVE_INFINITY
  #isLookingForSpace = false

  constructor(disk: Disk, logger: Logger, options: FileStoreOptions) {
    this.#disk = disk
    this.#logger = logger
    this.#options = options
  }

  async open(state: ChannelState): Promise<void> {
    this.#state = state
    try {
      await this.#lockDirectories()
      await this.#recover(state)
      await this.#checkFreeSpace()
      await this.#beginFile()
    } catch (error) {
      await this.#closeFiles()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#commits.idle()
    await this.#closeFiles()
    this.#entries.clear()
  }

  checkSpace(): void {
    if (this.#commits.failure) throw this.#commits.failure
    const { minimumRequiredBytes, channel, dataDirectories } = this.#options
    if (this.#freeBytes >= minimumRequiredBytes) return
    // Refused puts write nothing, and so nothing else would look again: the next put sees the answer.
    this.#lookForSpace()
    throw new AgentError(
      'CHANNEL_SPACE',
      `channel ${channel}: fewer than minimumRequiredSpace (${minimumRequiredBytes}) bytes are free for ${dataDirectories.join(', ')}: free some, or lower minimumRequiredSpace`,
    )
  }

  put(puts: readonly StoredPut[]): Promise<void> {
    if (puts.length === 0) return Promise.resolve()
    const chunks: Buffer[] = []
    const frames: { put: StoredPut; offset: number; sizeBytes: number }[] = []
    let total = 0
    puts.forEach((put, index) => {
      const body = writePut(this.#writer, put, index === puts.length - 1)
      const head = this.#takeWritten()
      chunks.push(head, body)
      frames.push({ put, offset: total, sizeBytes: head.length + body.length })
      total += head.length + body.length
    })
    const { durable, logFile, position } = this.#queue(chunks, total)
    for (const { put, offset, sizeBytes } of frames) {
      const { from, until } = put.range
      const entry: FileEntry = {
        from,
        until,
        batch: undefined,
        logFile,
        position: position + offset,
        sizeBytes,
        cachedBytes: 0,
      }
      this.#cache(entry, put.batch)
      this.#entries.push(entry)
    }
    return durable
  }

  prepare(take: PreparedTake): Promise<void> {
    writePrepare(this.#writer, take)
    return this.#queueWritten()
  }

  take(ranges: readonly Range[], preparedId: number): void {
    writeTake(this.#writer, ranges, preparedId)
    // Nobody waits for it: if a crash loses it, the events come again, with their stamp if they had
    // one. A failure shows at the next put or prepare, which follow it in the log.
    this.#queueWritten().catch(() => {})
    this.#dropDrained(ranges)
  }

  release(preparedId: number): Promise<void> {
    writeRelease(this.#writer, preparedId)
    return this.#queueWritten()
  }

  entryHolding(event: number): Entry {
    return this.#entries.holding(event)
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
    assert(record.type === 'put', 'an entry stands where a put was written')
    const batch = readBatch(head, record, bytes, bodyAt)
    // Kept until its events have left: the next take most likely goes on in it.
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

  #queueWritten(): Promise<void> {
    const bytes = this.#takeWritten()
    return this.#queue([bytes], bytes.length).durable
  }

  /** Gives a write its place in the log; when that fills the file, begins the next one. */
  #queue(
    chunks: readonly Buffer[],
    sizeBytes: number,
  ): { durable: Promise<void>; logFile: LogFile; position: number } {
    const logFile = this.#files.at(-1)!
    const position = this.#queuedBytes
    this.#queuedBytes += sizeBytes
    const { lowestHeld } = this.#state!
    const durable = this.#commits.append({ logFile, position, chunks, lowestHeld })
    // After a write and never before one: the snapshot must not know of a put that may be torn.
    if (this.#queuedBytes >= this.#options.maxFileBytes) this.#beginFile().catch(() => {})
    return { durable, logFile, position }
  }

  /** Queues the next file with the snapshot that it starts with; a failure shows in what follows. */
  #beginFile(): Promise<void> {
    const state = this.#state!
    const last = this.#files.at(-1)
    if (last !== undefined) last.endEvent = state.nextEvent
    const number = (last?.number ?? 0) + 1
    const directories = this.#options.dataDirectories
    const directory = directories[number % directories.length]!
    const path = join(directory, `${filePrefix}${number}`)
    const logFile: LogFile = { number, path, directory, file: undefined, endEvent: undefined }
    this.#files.push(logFile)
    writeSnapshot(this.#writer, {
      nextEvent: state.nextEvent,
      nextPreparedId: state.nextPreparedId,
      positions: [...state.positions.all()],
      lastStamps: state.lastStamps,
    })
    const snapshot = this.#takeWritten()
    this.#queuedBytes = snapshot.length
    const { lowestHeld } = state
    return this.#commits.append({ logFile, position: 0, chunks: [snapshot], lowestHeld })
  }

  /** Writes and syncs file by file: a file is complete on disk before the next one exists. */
  async #writeGroup(group: readonly QueuedWrite[]): Promise<void> {
    for (let first = 0; first < group.length; ) {
      const { logFile, position } = group[first]!
      let end = first
      const chunks: Buffer[] = []
      while (end < group.length && group[end]!.logFile === logFile) {
        chunks.push(...group[end++]!.chunks)
      }
      const isNew = logFile.file === undefined
      logFile.file ??= await this.#disk.open(logFile.path, 'write')
      await logFile.file.write(chunks, position)
      await logFile.file.sync()
      if (isNew) await this.#disk.syncDirectory(logFile.directory)
      this.#bytesSinceSpaceCheck += chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      first = end
    }
    await this.#deleteDrained(group.at(-1)!.lowestHeld)
    if (this.#bytesSinceSpaceCheck >= spaceCheckBytes) await this.#checkFreeSpace()
  }

  /** Deletes files from the oldest on, as long as all their events are below `lowestHeld`. */
  async #deleteDrained(lowestHeld: number): Promise<void> {
    for (;;) {
      const [oldest] = this.#files
      if (oldest?.endEvent === undefined || oldest.endEvent > lowestHeld) return
      // A take may still read an event that another one committed meanwhile: the handle of a
      // removed file would serve it, but nobody asks, because such events have left the channel.
      await oldest.file?.close()
      await this.#disk.remove(oldest.path)
      await this.#disk.syncDirectory(oldest.directory)
      this.#files.shift()
    }
  }

  async #lockDirectories(): Promise<void> {
    const { checkpointDirectory, dataDirectories } = this.#options
    for (const directory of new Set([checkpointDirectory, ...dataDirectories])) {
      await makeDurableDirectory(this.#disk, directory)
      this.#locks.push(await this.#disk.lock(directory))
    }
  }

  async #recover(state: ChannelState): Promise<void> {
    this.#files = await this.#listFiles()
    const replay = new LogReplay<{ logFile: LogFile; position: number; sizeBytes: number }>(state)
    for (const [index, logFile] of this.#files.entries()) {
      logFile.file = await this.#disk.open(logFile.path, 'write')
      const { sizeBytes: fileBytes } = await logFile.file.stat()
      const scanner = new LogScanner(logFile.file, fileBytes)
      for (
        let next = await this.#scan(scanner, logFile);
        next;
        next = await this.#scan(scanner, logFile)
      ) {
        const { record, position, sizeBytes } = next
        for (const { range, place } of replay.apply(record, { logFile, position, sizeBytes })) {
          const { from, until } = range
          this.#entries.push({ from, until, batch: undefined, cachedBytes: 0, ...place })
        }
      }
      logFile.endEvent = state.nextEvent
      if (scanner.validBytes === fileBytes) continue
      if (index < this.#files.length - 1) throw this.#damaged(logFile, scanner.validBytes)
      await this.#cutTail(logFile, scanner.validBytes, fileBytes)
    }
    this.#entries.dropBelow(state.lowestHeld)
  }

  /** A record that passes its checksum and cannot be read was written by another version. */
  async #scan(scanner: LogScanner, logFile: LogFile) {
    try {
      return await scanner.next()
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      throw this.#damaged(logFile, scanner.validBytes, error)
    }
  }

  /** What a crash left half written at the end of the last file was never acknowledged. */
  async #cutTail(logFile: LogFile, validBytes: number, fileBytes: number): Promise<void> {
    this.#logger.warn(
      { channel: this.#options.channel, file: logFile.path, validBytes, fileBytes },
      'cut the end of a channel log that a crash left half written',
    )
    if (validBytes > 0) {
      await logFile.file!.truncate(validBytes)
      await logFile.file!.sync()
      return
    }
    await logFile.file!.close()
    await this.#disk.remove(logFile.path)
    await this.#disk.syncDirectory(logFile.directory)
    this.#files.pop()
  }

  async #listFiles(): Promise<LogFile[]> {
    const files: LogFile[] = []
    for (const directory of this.#options.dataDirectories) {
      for (const name of await this.#disk.list(directory)) {
        if (!/^log-\d+$/.test(name)) continue
        const number = Number(name.slice(filePrefix.length))
        const path = join(directory, name)
        files.push({ number, path, directory, file: undefined, endEvent: undefined })
      }
    }
    files.sort((a, b) => a.number - b.number)
    files.forEach((file, index) => {
      if (file.number !== files[0]!.number + index) throw this.#missing(file.number - 1)
    })
    return files
  }

  /** A look that fails changes nothing: the next refused put looks again. */
  #lookForSpace(): void {
    if (this.#isLookingForSpace) return
    this.#isLookingForSpace = true
    this.#checkFreeSpace()
      .catch((error: unknown) => {
        const { channel } = this.#options
        this.#logger.warn({ channel, error }, 'cannot tell how much space is free')
      })
      .finally(() => {
        this.#isLookingForSpace = false
      })
  }

  async #checkFreeSpace(): Promise<void> {
    this.#bytesSinceSpaceCheck = 0
    const free = this.#options.dataDirectories.map((directory) => this.#disk.freeBytes(directory))
    this.#freeBytes = Math.min(...(await Promise.all(free)))
  }

  async #closeFiles(): Promise<void> {
    for (const { file } of this.#files.splice(0)) await file?.close()
    for (const lock of this.#locks.splice(0)) await lock.release()
  }

  #damaged(logFile: LogFile, position: number, cause?: unknown): AgentError {
    return new AgentError(
      'CHANNEL_CORRUPT',
      `channel ${this.#options.channel}: ${logFile.path} cannot be read at byte ${position}: restore the file, or move the channel's directories away to start empty`,
      cause,
    )
  }

  #missing(number: number): AgentError {
    return new AgentError(
      'CHANNEL_CORRUPT',
      `channel ${this.#options.channel}: log file ${number} is missing from ${this.#options.dataDirectories.join(', ')}: restore it, or move the channel's directories away to start empty`,
    )
  }
}

/** A directory that is still there after a power failure: so are its new parents. */
async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const created: string[] = []
  for (let at = directory; (await disk.stat(at)) === undefined; at = dirname(at)) created.push(at)
  await disk.makeDirectory(directory)
  for (const path of created.reverse()) await disk.syncDirectory(dirname(path))
}
