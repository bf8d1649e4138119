// The bytes of one segment: what is in its file, and behind that what is staged in memory because
// the commit journal has it already. It opens the file when it is needed, and knows what of it is
// synced. It never loses staged bytes: when they cannot be written they stay, can be read, and the
// journal is told that it has to keep them.

import { totalBytes } from '../../../protocol/bytes/totalBytes.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile, DiskMode } from '../../../protocol/runtime/disk.ts'
import { isPassing, LogError, writeFailed } from '../logError.ts'
import type { Allocate } from '../readResult.ts'
import type { OpenFiles } from './openFiles.ts'
import { StagedBytes } from './stagedBytes.ts'
import type { WriteBehind } from './writeBehind.ts'

export interface SegmentFileOptions {
  readonly disk: Disk
  /** Where the file is now: it may be renamed. */
  readonly path: () => string
  readonly mode: DiskMode
  readonly files: OpenFiles
  /** Without one, nothing is staged. */
  readonly writeBehind: WriteBehind | undefined
}

export class SegmentFile {
  readonly #options: SegmentFileOptions
  #file: Promise<DiskFile> | undefined
  #uses = 0
  #onIdle: (() => void) | undefined
  /** Made when something is staged: most of thousands of segments never have anything. */
  #staged: StagedBytes | undefined
  /** What is staged is being written. */
  #writingOut: Promise<void> | undefined
  /** The append under way. */
  #writing: Promise<void> | undefined
  /** Bytes were written since the last sync began. */
  #isUnsynced = false
  /** The sync under way that covers everything written before it. */
  #syncing: Promise<void> | undefined
  /**
   * Why a write or a sync has failed, for ever: nobody may take for durable what was written before
   * it.
   */
  #failure: LogError | undefined
  /** The file cannot be opened a second time. */
  #isDetached = false
  #isDiscarded = false
  #isClosed = false
  /**
   * Set when the commit journal relies on what is appended being synced in time: told when it is
   * not.
   */
  journalFailed: ((cause: unknown) => void) | undefined

  constructor(options: SegmentFileOptions) {
    this.#options = options
  }

  /** Opens the file, creating it for a segment that is appended to. */
  open(): Promise<DiskFile> {
    const { disk, path, mode, files } = this.#options
    if (this.#isClosed) throw new LogError('LOG_CLOSED', `${path()} is closed`)
    files.used(this)
    this.#file ??= disk.open(path(), mode).catch((error: unknown) => {
      this.#file = undefined
      throw error
    })
    return this.#file
  }

  /** Keeps the file open until the operation has ended. */
  async using<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#uses++
    try {
      return await operation()
    } finally {
      this.#uses--
      if (this.#uses === 0) this.#onIdle?.()
    }
  }

  /**
   * Takes bytes that belong at `position`, the end of the segment, into memory, and sees to it that
   * they get into the file; false when there is no room for them, or they are many enough to be
   * written at once. They must become durable elsewhere.
   */
  stage(chunks: readonly Buffer[], position: number): boolean {
    const { writeBehind } = this.#options
    if (writeBehind === undefined || this.#failure) return false
    if (totalBytes(chunks) >= writeBehind.enoughBytes) return false
    this.#staged ??= new StagedBytes(writeBehind, this)
    return this.#staged.add(chunks, position)
  }

  /** Writes bytes at `position`, the end of the segment, and what was staged before them. */
  async append(chunks: readonly Buffer[], position: number): Promise<void> {
    const writing = this.using(async () => {
      await this.writeStaged()
      this.#mustBeSound()
      const file = await this.open()
      try {
        await file.write(chunks, position)
      } finally {
        // Not before: a sync that was begun meanwhile may not cover all of it.
        this.#isUnsynced = true
      }
    })
    this.#writing = writing
    try {
      await writing
    } finally {
      this.#writing = undefined
    }
  }

  /** Resolves when everything is in the file that is staged now. Throws what the disk says. */
  async writeStaged(): Promise<void> {
    const end = this.#staged?.end ?? 0
    while (this.#hasStaged && this.#staged!.start < end) {
      this.#writingOut ??= this.#writeOnce(this.#staged!).finally(() => {
        this.#writingOut = undefined
      })
      await this.#writingOut
    }
  }

  /** See Stager. */
  async writeOut(): Promise<void> {
    if (this.#failure) return
    try {
      await this.writeStaged()
    } catch (error) {
      // For want of room it is tried again; after any other failure nothing more is written.
      if (!isPassing(error)) this.#failure ??= writeFailed(this.#options.path(), error)
      this.journalFailed?.(error)
    }
  }

  /**
   * Covers everything that was staged or whose append has begun. Throws LogError when it is the
   * sync that fails: what is then on the disk is unknown, for the system may have given up the
   * pages, and would report success the next time; so this is not tried again. When what is staged
   * cannot be written it throws what the disk says.
   */
  async sync(): Promise<void> {
    const writing = this.#writing
    const syncing = this.using(async () => {
      await this.writeStaged()
      this.#mustBeSound()
      // No use that counts: it may be the last one before the file is let go.
      const file = await (this.#file ?? this.open())
      // Whether it succeeds is told to whoever appends.
      await writing?.catch(() => {})
      // Before it begins: what is written meanwhile may not be covered.
      this.#isUnsynced = false
      try {
        await file.sync()
      } catch (cause) {
        this.#failure = writeFailed(this.#options.path(), cause)
        throw this.#failure
      }
    })
    this.#syncing = syncing
    try {
      await syncing
    } finally {
      if (this.#syncing === syncing) this.#syncing = undefined
    }
  }

  /** Syncs what was appended, or is being appended, since the last time, if anything was. */
  async syncAppended(): Promise<void> {
    const isNew = this.#isUnsynced || this.#writing || this.#hasStaged
    await (isNew ? this.sync() : this.#syncing)
  }

  /**
   * The same for the commit journal, which is also told when a closed segment has left bytes
   * unsynced.
   */
  async syncJournaled(): Promise<void> {
    if (this.#isDiscarded) return
    if (this.#failure) throw this.#failure
    if (this.#isClosed) return
    try {
      await this.syncAppended()
    } catch (error) {
      this.journalFailed?.(error)
      throw error
    }
  }

  /** The bytes at `position`; fewer than `length` only at the end of the segment. */
  readAt(position: number, length: number, allocate: Allocate): Promise<Buffer> {
    return this.using(async () => {
      const bytes = allocate(length)
      let filled = 0
      while (filled < length) {
        const at = position + filled
        const isStaged = this.#hasStaged && at >= this.#staged!.start
        if (isStaged && at >= this.#staged!.end) break
        const rest = filled === 0 ? bytes : bytes.subarray(filled, length)
        const read = isStaged ? this.#staged!.copy(rest, at) : await this.#readFile(rest, at)
        if (read === 0) break
        filled += read
      }
      return filled === length ? bytes : bytes.subarray(0, filled)
    })
  }

  /** Needs its name no longer: reads go on when the name is given to another file. */
  async detach(): Promise<void> {
    assert(!this.#hasStaged, 'a segment is written to its file before it is replaced')
    this.#isDetached = true
    await this.open()
  }

  /** Cuts off what lies at or behind `sizeBytes`, durably. Nothing may be staged. */
  async cutTo(sizeBytes: number): Promise<void> {
    assert(!this.#hasStaged, 'staged bytes are written to the file before it is truncated')
    const { disk, path } = this.#options
    const file = await disk.open(path(), 'write')
    try {
      await file.truncate(sizeBytes)
      await file.sync()
      const stat = await file.stat()
      assert(stat.sizeBytes === sizeBytes, 'the file has the length that it was written with')
    } finally {
      await file.close()
    }
  }

  /**
   * Nobody needs what was appended any more: it need not be written, and the journal need not keep
   * it.
   */
  discard(): void {
    this.#isDiscarded = true
  }

  /**
   * Writes what is staged, waits for what is under way, then lets go of the file. What cannot be
   * written or synced is known to the journal afterwards (`syncJournaled`).
   */
  async close(): Promise<void> {
    if (this.#hasStaged && !this.#isDiscarded && !this.#isClosed) await this.#saveAtClose()
    this.#isClosed = true
    if (this.#uses > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    this.#staged?.forget()
    this.#options.files.closed(this)
    const file = await this.#file
    this.#file = undefined
    // Of a log that failed: its journaled records may still be kept.
    if (this.journalFailed && this.#isUnsynced && !this.#isDiscarded) {
      await file?.sync().catch((cause: unknown) => {
        this.#failure ??= writeFailed(this.#options.path(), cause)
      })
    }
    await file?.close()
  }

  /** Closes the file, after syncing it, until it is needed again; see FileHolder. */
  async letGo(): Promise<boolean> {
    // What fails is told to whoever appends next.
    if (this.#isUnsynced && !this.#isClosed) await this.sync().catch(() => {})
    if (this.#isClosed || !this.#file) return true
    if (this.#uses > 0 || this.#isUnsynced || this.#isDetached || this.#failure) return false
    const file = this.#file
    this.#file = undefined
    await (await file).close().catch(() => {})
    return true
  }

  #mustBeSound(): void {
    if (this.#failure) throw this.#failure
  }

  get #hasStaged(): boolean {
    return this.#staged !== undefined && !this.#staged.isEmpty
  }

  async #readFile(into: Buffer, position: number): Promise<number> {
    // What is staged follows it, and may be written and given up while this reads.
    const end = this.#hasStaged ? this.#staged!.start - position : into.length
    const file = await this.open()
    return await file.read(end < into.length ? into.subarray(0, end) : into, position)
  }

  #writeOnce(staged: StagedBytes): Promise<void> {
    return this.using(async () => {
      this.#mustBeSound()
      const file = await this.open()
      const { start, end } = staged
      try {
        await file.write(staged.toWrite(end), start)
      } finally {
        this.#isUnsynced = true
      }
      staged.written(end)
    })
  }

  async #saveAtClose(): Promise<void> {
    try {
      await this.sync()
    } catch (cause) {
      this.#failure ??= writeFailed(this.#options.path(), cause)
    }
  }
}
