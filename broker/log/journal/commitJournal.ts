// Makes appends of many partitions durable with one sync. A segment grows, so syncing it makes the
// file system write its own log, too; the journal overwrites two files in turn, which after their
// first round costs a third of that, and one sync serves all partitions that wait. Segments are
// synced when a file of the journal is to be used again, and not before each answer.
//
// It must never acknowledge what a crash could take away, and never let old entries come back over
// newer bytes: `cut` before a log is cut or removed, `settle` before a segment is replaced.

import { join } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduler.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import { isPassing } from '../logError.ts'
import type { SyncFigures } from '../logFigures.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import { encodeGroup, groupPrefixBytes, type JournalEntry, runIdBytes } from './journalGroup.ts'
import { type ReplayOptions, replayJournal } from './journalReplay.ts'

export interface CommitJournalOptions extends ReplayOptions {
  readonly random: Random
  readonly scheduler: Scheduler
  /** Of one of the two files; a group larger than that makes it longer for once. */
  readonly fileBytes?: number
}

/**
 * A segment whose newest bytes may be durable in the journal alone, and may still be being written.
 */
export interface JournaledSegment {
  readonly baseOffset: number
  /**
   * Waits for what is being written. Must resolve, too, when the segment is closed or gone: whoever
   * closed it has seen to its bytes. When it fails, the segment's log must take no more writes.
   */
  syncJournaled(): Promise<void>
}

/** Bytes that are to be durable, and whose way into their segment has begun. */
export interface Commit {
  readonly name: string
  readonly segment: JournaledSegment
  readonly position: number
  readonly endOffset: number
  readonly chunks: readonly Buffer[]
}

interface Pending {
  readonly entry: JournalEntry
  readonly sizeBytes: number
  readonly segment: JournaledSegment | undefined
  readonly done: (failure: unknown) => void
}

/** One of the two files. */
interface Half {
  readonly file: DiskFile
  usedBytes: number
  /** Whose bytes are in it. */
  readonly segments: Set<JournaledSegment>
  /** Partitions with entries in it. */
  names: Set<string>
  /**
   * Partitions with entries from its last round, which count until its first group is written over.
   */
  oldNames: Set<string>
  /** Resolves when everything in it is durable elsewhere, so that it can be written over. */
  settled: Promise<void>
}

const defaultFileBytes = 64 * 1024 * 1024
const maxGroupBytes = 4 * 1024 * 1024
/** One writev takes 1,024 buffers, one of which is the group's head. */
const maxGroupChunks = 1000
/** Fewer than the system's threads for files (four), which appends need meanwhile. */
const syncedAtOnce = 2
const directoryName = '__journal'

export class CommitJournal {
  readonly #halves: readonly [Half, Half]
  readonly #fileBytes: number
  readonly #runId: Buffer
  readonly #scheduler: Scheduler
  #current = 0
  #sequence = 0
  #pending: Pending[] = []
  #running: Promise<void> | undefined
  /** Told why the files could not be written. */
  noticed: ((cause: unknown) => void) | undefined
  /** Counts groups that were written. */
  figures: SyncFigures | undefined
  /** Why nothing is written any more. */
  #failure: unknown
  /** A segment could not be synced: what the files hold is all there is of its last records. */
  #mustKeep = false

  private constructor(files: readonly DiskFile[], options: CommitJournalOptions) {
    const { random, scheduler, fileBytes } = options
    assert(files.length === 2, 'the journal alternates between two files')
    this.#halves = [newHalf(files[0]!), newHalf(files[1]!)]
    this.#fileBytes = fileBytes ?? defaultFileBytes
    this.#runId = random.bytes(runIdBytes)
    this.#scheduler = scheduler
  }

  /** Replays what a crash has left, before any log of the directory is opened. */
  static async open(options: CommitJournalOptions): Promise<CommitJournal> {
    const { disk, directory } = options
    const files = await openFiles(disk, directory)
    try {
      await replayJournal(files, options)
      await invalidate(files)
      return new CommitJournal(files, options)
    } catch (error) {
      for (const file of files) await file.close()
      throw error
    }
  }

  /**
   * For a directory that is used without a journal now: what one of before has left is not lost.
   */
  static async replayLeftover(options: ReplayOptions): Promise<void> {
    const { disk, directory } = options
    if ((await disk.stat(join(directory, directoryName))) === undefined) return
    const files = await openFiles(disk, directory)
    try {
      await replayJournal(files, options)
      await invalidate(files)
    } finally {
      for (const file of files) await file.close()
    }
  }

  /** Resolves when the bytes survive a crash; fails as syncing the segment does. */
  commit({ name, segment, position, endOffset, chunks }: Commit): Promise<void> {
    const { baseOffset } = segment
    const entry = { kind: 'append', name, baseOffset, position, endOffset, chunks } as const
    return this.#submit(entry, segment)
  }

  /**
   * Before a log is cut: nothing from there on comes back. Position 0 of segment 0: nothing at all.
   */
  async cut(name: string, baseOffset: number, position: number): Promise<void> {
    if (this.#knows(name)) await this.#submit({ kind: 'cut', name, baseOffset, position })
  }

  /** Before a segment that is durable, or one before it, is replaced or removed. */
  async settle(name: string, baseOffset: number): Promise<void> {
    if (this.#knows(name)) await this.#submit({ kind: 'settled', name, baseOffset })
  }

  /**
   * The directory has failed: nothing is written any more, and what is there is kept for the next
   * start.
   */
  abandon(failure: unknown): void {
    this.#failure = failure
    this.#mustKeep = true
  }

  /** After all logs have been synced and closed. */
  async close(): Promise<void> {
    await this.#running
    const files = this.#halves.map(({ file }) => file)
    await Promise.allSettled(this.#halves.map(({ settled }) => settled))
    // Whatever the logs could not bring to their files stays here for the next start.
    await Promise.allSettled(this.#halves.map((half) => this.#settle(half)))
    try {
      if (this.#failure === undefined && !this.#mustKeep) await invalidate(files)
    } finally {
      for (const file of files) await file.close()
    }
  }

  #knows(name: string): boolean {
    const isPending = this.#pending.some(({ entry }) => entry.name === name)
    return isPending || this.#halves.some((half) => half.names.has(name) || half.oldNames.has(name))
  }

  #submit(entry: JournalEntry, segment?: JournaledSegment): Promise<void> {
    return new Promise((resolve, reject) => {
      const sizeBytes = entry.kind === 'append' ? totalBytes(entry.chunks) : 0
      const done = (failure: unknown) => (failure === undefined ? resolve() : reject(failure))
      this.#pending.push({ entry, sizeBytes, segment, done })
      this.#running ??= this.#runSoon()
    })
  }

  /** Commits that arrive before the task runs share the first group. */
  #runSoon(): Promise<void> {
    return new Promise((resolve) => this.#scheduler.soon(() => resolve(this.#run())))
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#take()
      try {
        if (this.#failure !== undefined) throw this.#failure
        await this.#write(group)
        for (const { done } of group) done(undefined)
      } catch (error) {
        await this.#doWithout(group, error)
      }
    }
    this.#running = undefined
  }

  /**
   * The journal could not be written, for want of space or worse: the segments are synced
   * themselves, and the files are emptied, which also gives their space back. As long as that
   * fails, nothing can be declared void, so that no log may be cut; but appends go on. A segment
   * that could not be synced once may seem to be synced the next time, though its bytes are gone:
   * then the files stay as they are for the next start, which writes from them what is missing.
   */
  async #doWithout(group: readonly Pending[], cause: unknown): Promise<void> {
    this.noticed?.(cause)
    try {
      await Promise.all(this.#halves.map((half) => this.#settle(half)))
      if (this.#mustKeep) throw cause
      for (const half of this.#halves) await empty(half)
      this.#failure = undefined
    } catch {
      this.#failure = cause
    }
    for (const { segment, done } of group) {
      if (segment) await segment.syncJournaled().then(() => done(undefined), done)
      else done(this.#failure)
    }
  }

  #take(): Pending[] {
    let bytes = 0
    let chunks = 0
    let count = 0
    for (const { entry, sizeBytes } of this.#pending) {
      const more = entry.kind === 'append' ? entry.chunks.length : 0
      const isFull = bytes + sizeBytes > maxGroupBytes || chunks + more > maxGroupChunks
      if (count > 0 && isFull) break
      bytes += sizeBytes
      chunks += more
      count++
    }
    return this.#pending.splice(0, count)
  }

  async #write(group: readonly Pending[]): Promise<void> {
    const place = { runId: this.#runId, sequence: this.#sequence++ }
    const chunks = encodeGroup(
      place,
      group.map(({ entry }) => entry),
    )
    const groupBytes = totalBytes(chunks)
    const half = await this.#halfFor(groupBytes)
    // Before the write: a crash may leave the group there though it is never acknowledged.
    for (const { entry, segment } of group) {
      half.names.add(entry.name)
      if (segment) half.segments.add(segment)
    }
    await this.#measured(group, () => half.file.write(chunks, half.usedBytes))
    half.usedBytes += groupBytes
    half.oldNames.clear()
  }

  #measured(group: readonly Pending[], write: () => Promise<void>): Promise<void> {
    if (!this.figures) return write()
    let appends = 0
    let bytes = 0
    for (const { entry, sizeBytes } of group) {
      if (entry.kind !== 'append') continue
      appends++
      bytes += sizeBytes
    }
    return this.figures.measure(bytes, appends, write)
  }

  /** The file that takes the next group: the other one when this one is full. */
  async #halfFor(groupBytes: number): Promise<Half> {
    const current = this.#halves[this.#current]!
    if (current.usedBytes === 0 || current.usedBytes + groupBytes <= this.#fileBytes) return current
    current.settled = this.#settle(current)
    // Looked at when the file is wanted again; until then a failure must not count as unhandled.
    current.settled.catch(() => {})
    this.#current = 1 - this.#current
    const next = this.#halves[this.#current]!
    await next.settled
    next.usedBytes = 0
    next.oldNames = next.names
    next.names = new Set()
    return next
  }

  /**
   * Syncs all segments with bytes in the file. Its entries still count until it is written over.
   */
  async #settle(half: Half): Promise<void> {
    try {
      await inParallel([...half.segments], (segment) => segment.syncJournaled(), syncedAtOnce)
    } catch (error) {
      // For want of room they are still in memory: nothing is lost, and it can be tried again.
      if (!isPassing(error)) this.#mustKeep = true
      throw error
    }
    half.segments.clear()
  }
}

function newHalf(file: DiskFile): Half {
  return {
    file,
    usedBytes: 0,
    segments: new Set(),
    names: new Set(),
    oldNames: new Set(),
    settled: Promise.resolve(),
  }
}

async function openFiles(disk: Disk, dataDirectory: string): Promise<DiskFile[]> {
  const directory = join(dataDirectory, directoryName)
  await disk.makeDirectory(directory)
  await disk.syncDirectory(dataDirectory)
  const files: DiskFile[] = []
  for (const name of ['first', 'second']) {
    files.push(await disk.open(join(directory, `${name}.journal`), 'writeSynced'))
  }
  await disk.syncDirectory(directory)
  return files
}

async function empty(half: Half): Promise<void> {
  await half.file.truncate(0)
  await half.file.sync()
  half.usedBytes = 0
  half.names.clear()
  half.oldNames.clear()
  half.settled = Promise.resolve()
}

/** Voids everything in the files, durably, and keeps their space. */
async function invalidate(files: readonly DiskFile[]): Promise<void> {
  for (const file of files) {
    if ((await file.stat()).sizeBytes === 0) continue
    await file.write([Buffer.alloc(groupPrefixBytes)], 0)
  }
}
