// Makes appends of many partitions durable with one sync, by group commit. A segment grows, so
// syncing it makes the file system write its own log, too; the journal overwrites two files in
// turn, which after their first round costs a third of that, and one sync serves all partitions
// that wait. Segments are synced before a file of the journal is overwritten, and not before each
// answer.
//
// Invariants: a commit resolves only when a crash cannot remove its bytes. A replay never writes
// old entries over newer bytes: `cut` is called before a log is truncated or removed, `settle`
// before a segment is replaced.

import { join } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import { noRarePoints, type RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import { GroupCommit } from '../../../protocol/runtime/scheduling/groupCommit.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import { isPassing } from '../logError.ts'
import type { SyncFigures } from '../logFigures.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import { encodeGroup, groupPrefixBytes, type JournalEntry, runIdBytes } from './journalGroup.ts'
import { type ReplayOptions, replayJournal } from './journalReplay.ts'

export interface CommitJournalOptions extends ReplayOptions {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly rarePoints?: RarePoints | undefined
  /** Size of each of the two files; one larger group makes its file longer. */
  readonly fileBytes?: number
}

/**
 * A segment whose newest bytes may be durable in the journal alone, and their write to the segment
 * in flight.
 */
export interface JournaledSegment {
  readonly baseOffset: number
  /**
   * Syncs the segment, after its writes in flight. Resolves, too, when the segment is closed or
   * removed: its bytes were synced, or voided, before. After a failure the segment's log must
   * accept no more writes.
   */
  syncJournaled(): Promise<void>
}

/** Bytes to make durable; their write to the segment has begun. */
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
  /** Segments with bytes in the file that are not synced in the segment. */
  readonly segments: Set<JournaledSegment>
  /** Partitions with entries in the file. */
  names: Set<string>
  /**
   * Partitions with entries of the previous round, which are valid until the file's first group is
   * overwritten.
   */
  oldNames: Set<string>
  /** Resolves when everything in the file is durable in segments, so that it can be overwritten. */
  settled: Promise<void>
}

const defaultFileBytes = 64 * 1024 * 1024
const maxGroupBytes = 4 * 1024 * 1024
/** One writev takes 1,024 buffers (IOV_MAX), one of which is the group's header. */
const maxGroupChunks = 1000
/** Fewer than the four I/O threads of the process, which appends need meanwhile. */
const syncedAtOnce = 2
const directoryName = '__journal'

export class CommitJournal {
  readonly #halves: readonly [Half, Half]
  readonly #fileBytes: number
  readonly #rarePoints: RarePoints
  readonly #runId: Buffer
  readonly #commits: GroupCommit<Pending>
  #current = 0
  #sequence = 0
  /** Called with the cause when a group could not be written. */
  noticed: ((cause: unknown) => void) | undefined
  /** Counts the groups written. */
  figures: SyncFigures | undefined
  /** The error that stops writes to the files. */
  #failure: unknown
  /** A segment could not be synced: the files may have the only copy of its last records. */
  #mustKeep = false

  private constructor(files: readonly DiskFile[], options: CommitJournalOptions) {
    const { random, scheduler, fileBytes, rarePoints = noRarePoints } = options
    assert(files.length === 2, 'the journal alternates between two files')
    this.#halves = [newHalf(files[0]!), newHalf(files[1]!)]
    this.#fileBytes = fileBytes ?? defaultFileBytes
    this.#rarePoints = rarePoints
    this.#runId = random.bytes(runIdBytes)
    this.#commits = new GroupCommit(
      {
        groupLength,
        write: (group) => this.#write(group),
        written: (group) => {
          for (const { done } of group) done(undefined)
        },
        failed: (group, cause) => this.#doWithout(group, cause),
      },
      scheduler,
      rarePoints,
    )
  }

  /** Replays the entries that a crash left; call before any log of the directory is opened. */
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

  /** Replays the journal of an earlier run in a directory that is now used without a journal. */
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

  /**
   * Entries that wait for the next write. Bounded by the number of partitions: a log has one write
   * in flight, and is truncated and cleaned one operation at a time.
   */
  get pendingCommits(): number {
    return this.#commits.pending.length
  }

  /** Resolves when the bytes are durable; fails with the error of syncing the segment. */
  commit({ name, segment, position, endOffset, chunks }: Commit): Promise<void> {
    const { baseOffset } = segment
    const entry = { kind: 'append', name, baseOffset, position, endOffset, chunks } as const
    return this.#submit(entry, segment)
  }

  /**
   * Voids the entries of a log from a position on; call before the log is truncated. Position 0 of
   * segment 0 voids all entries of the log.
   */
  async cut(name: string, baseOffset: number, position: number): Promise<void> {
    if (this.#knows(name)) await this.#submit({ kind: 'cut', name, baseOffset, position })
  }

  /** Voids entries up to a synced segment; call before one of these is replaced or removed. */
  async settle(name: string, baseOffset: number): Promise<void> {
    if (this.#knows(name)) await this.#submit({ kind: 'settled', name, baseOffset })
  }

  /** Stops writes because the directory has failed; the files are kept for the next start. */
  abandon(failure: unknown): void {
    this.#failure = failure
    this.#mustKeep = true
  }

  /** Call after all logs were synced and closed. */
  async close(): Promise<void> {
    await this.#commits.idle()
    const files = this.#halves.map(({ file }) => file)
    await Promise.allSettled(this.#halves.map(({ settled }) => settled))
    // Entries whose segments could not be synced are kept for the next start.
    await Promise.allSettled(this.#halves.map((half) => this.#settle(half)))
    try {
      if (this.#failure === undefined && !this.#mustKeep) await invalidate(files)
    } finally {
      for (const file of files) await file.close()
    }
  }

  #knows(name: string): boolean {
    const isPending = this.#commits.pending.some(({ entry }) => entry.name === name)
    return isPending || this.#halves.some((half) => half.names.has(name) || half.oldNames.has(name))
  }

  #submit(entry: JournalEntry, segment?: JournaledSegment): Promise<void> {
    return new Promise((resolve, reject) => {
      const sizeBytes = entry.kind === 'append' ? totalBytes(entry.chunks) : 0
      const done = (failure: unknown) => (failure === undefined ? resolve() : reject(failure))
      this.#commits.add({ entry, sizeBytes, segment, done })
    })
  }

  /**
   * Makes a group durable without the journal, whose write failed, for lack of space or otherwise:
   * syncs the segments, then empties the files, which also frees their space. While that fails, no
   * entry can be voided, so that no log may be truncated; appends continue. After a failed sync of
   * a segment a later one may report success although the bytes are lost: then the files are kept
   * for the next start, which writes the missing bytes from them.
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

  async #write(group: readonly Pending[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
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

  /** Returns the file for the next group: the other file when the current one is full. */
  async #halfFor(groupBytes: number): Promise<Half> {
    const current = this.#halves[this.#current]!
    const hasRoom = current.usedBytes + groupBytes <= this.#fileBytes
    const isFull = !hasRoom || this.#rarePoints.isForced('journal file full')
    if (current.usedBytes === 0 || !isFull) return current
    current.settled = this.#settle(current)
    // Awaited before the file is used again; until then a failure must not count as unhandled.
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
   * Syncs all segments with bytes in the file. Its entries are valid until they are overwritten.
   */
  async #settle(half: Half): Promise<void> {
    try {
      await inParallel([...half.segments], (segment) => segment.syncJournaled(), syncedAtOnce)
    } catch (error) {
      // For lack of space, the bytes are still in memory: nothing is lost, and the sync is retried.
      if (!isPassing(error)) this.#mustKeep = true
      throw error
    }
    half.segments.clear()
  }
}

/** The commits that share one write. */
function groupLength(pending: readonly Pending[]): number {
  let bytes = 0
  let chunks = 0
  let count = 0
  for (const { entry, sizeBytes } of pending) {
    const more = entry.kind === 'append' ? entry.chunks.length : 0
    const isFull = bytes + sizeBytes > maxGroupBytes || chunks + more > maxGroupChunks
    if (count > 0 && isFull) break
    bytes += sizeBytes
    chunks += more
    count++
  }
  return count
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

/** Voids all entries of the files, durably, and keeps the allocated space. */
async function invalidate(files: readonly DiskFile[]): Promise<void> {
  for (const file of files) {
    if ((await file.stat()).sizeBytes === 0) continue
    await file.write([Buffer.alloc(groupPrefixBytes)], 0)
  }
}
