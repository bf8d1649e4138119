// The bytes of one segment: its file, followed by bytes that are staged in memory, because the
// commit journal has already made them durable. Opens the file on demand, and tracks which bytes
// are synced. Invariant: staged bytes are never lost; if they cannot be written they stay readable,
// and the journal is called to keep them.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskFile, DiskMode } from '../../../protocol/runtime/disk/disk.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import { isPassing, LogError, writeFailed } from '../logError.ts'
import type { Allocate } from '../readResult.ts'
import type { OpenFiles } from './openFiles.ts'
import { StagedBytes } from './stagedBytes.ts'
import type { WriteBehind } from './writeBehind.ts'

export interface SegmentFileOptions {
  readonly disk: Disk
  /** The current path of the file, which may be renamed. */
  readonly path: () => string
  readonly mode: DiskMode
  readonly files: OpenFiles
  /** Without one, no bytes are staged. */
  readonly writeBehind: WriteBehind | undefined
}

export class SegmentFile {
  readonly #options: SegmentFileOptions
  #file: Promise<DiskFile> | undefined
  #uses = 0
  #onIdle: (() => void) | undefined
  /** Created lazily: with thousands of segments, most never have staged bytes. */
  #staged: StagedBytes | undefined
  /** The write of staged bytes in progress. */
  #writingOut: Promise<void> | undefined
  /** The append in progress. */
  #writing: Promise<void> | undefined
  /** Bytes were written since the last sync began. */
  #isUnsynced = false
  /** The sync in progress, which covers everything written before it. */
  #syncing: Promise<void> | undefined
  /** Why a write or a sync has failed. Permanent: whether earlier bytes are durable is unknown. */
  #failure: LogError | undefined
  /** The file cannot be opened again. */
  #isDetached = false
  #isDiscarded = false
  #isClosed = false
  #closing: Promise<void> | undefined
  /**
   * Set while the commit journal relies on a later sync of appended bytes; called if that fails.
   */
  journalFailed: ((cause: unknown) => void) | undefined

  constructor(options: SegmentFileOptions) {
    this.#options = options
  }

  /** Opens the file; creates the file of an active segment. */
  open(): Promise<DiskFile> {
    const { disk, path, mode, files } = this.#options
    if (this.#isClosed) throw new LogError('LOG_CLOSED', `${path()} is closed`)
    files.used(this)
    if (this.#file) return this.#file
    const opening = disk.open(path(), mode).catch((error: unknown) => {
      // Let go meanwhile, and perhaps opened again.
      if (this.#file === opening) this.#file = undefined
      throw error
    })
    this.#file = opening
    return opening
  }

  /** Keeps the file open until the operation ends. */
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
   * Stages bytes at `position`, the end of the segment, and writes them to the file later. Returns
   * false without memory for them, or if they are enough to be written immediately. The caller
   * makes them durable elsewhere.
   */
  stage(chunks: readonly Buffer[], position: number): boolean {
    const { writeBehind } = this.#options
    if (writeBehind === undefined || this.#failure) return false
    if (totalBytes(chunks) >= writeBehind.enoughBytes) return false
    this.#staged ??= new StagedBytes(writeBehind, this)
    return this.#staged.add(chunks, position)
  }

  /** Writes the staged bytes, then `chunks` at `position`, the end of the segment. */
  async append(chunks: readonly Buffer[], position: number): Promise<void> {
    const writing = this.using(async () => {
      await this.writeStaged()
      this.#mustBeSound()
      const file = await this.open()
      try {
        await file.write(chunks, position)
      } finally {
        // Set after the write: a sync that starts during the write may not cover all of it.
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

  /** Resolves when the bytes staged now are in the file. Throws the error of the disk. */
  async writeStaged(): Promise<void> {
    const end = this.#staged?.end ?? 0
    while (this.#hasStaged && this.#staged!.start < end) {
      this.#writingOut ??= this.#beginWriteOut(this.#staged!)
      await this.#writingOut
    }
  }

  /**
   * Set as the write in progress before it begins: to open its file may close others, whose staged
   * bytes are then written, and those of this one again. A second write of the same bytes could end
   * when their memory has other content.
   */
  #beginWriteOut(staged: StagedBytes): Promise<void> {
    const writing = Promise.withResolvers<void>()
    this.#writingOut = writing.promise
    const written = this.#writeOnce(staged).finally(() => {
      this.#writingOut = undefined
    })
    written.then(writing.resolve, writing.reject)
    return writing.promise
  }

  /** See Stager. */
  async writeOut(): Promise<void> {
    if (this.#failure) return
    try {
      await this.writeStaged()
    } catch (error) {
      // A passing failure is retried; after any other one, nothing more is written.
      if (!isPassing(error)) this.#failure ??= writeFailed(this.#options.path(), error)
      this.journalFailed?.(error)
    }
  }

  /**
   * Makes everything durable that was staged, or whose append has started. If the sync fails,
   * throws LogError: the content of the disk is unknown then. The kernel may have dropped the pages
   * and would report success the next time, so a failed sync is not retried. If staged bytes cannot
   * be written, throws the error of the disk.
   */
  async sync(): Promise<void> {
    const writing = this.#writing
    const syncing = this.using(async () => {
      await this.writeStaged()
      this.#mustBeSound()
      // Does not count as a use, because it may be the last operation before the file is closed.
      const file = await (this.#file ?? this.open())
      // The append reports its own failure.
      await writing?.catch(() => {})
      // Cleared before the sync: bytes written during the sync may not be covered.
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

  /** Syncs if bytes were appended, or began to be appended, after the last sync. */
  async syncAppended(): Promise<void> {
    const isNew = this.#isUnsynced || this.#writing || this.#hasStaged
    await (isNew ? this.sync() : this.#syncing)
  }

  /**
   * `syncAppended` for the commit journal. Also reports that a closed segment left bytes unsynced.
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

  /**
   * Makes the segment independent of its file name, which another file takes over. Reads continue.
   */
  async detach(): Promise<void> {
    assert(!this.#hasStaged, 'a segment is written to its file before it is replaced')
    this.#isDetached = true
    await this.open()
  }

  /** Truncates the file to `sizeBytes`, durably. No bytes may be staged. */
  async cutTo(sizeBytes: number): Promise<void> {
    assert(!this.#hasStaged, 'staged bytes are written to the file before it is truncated')
    const { disk, path } = this.#options
    const file = await disk.open(path(), 'write')
    try {
      await file.truncate(sizeBytes)
      await file.sync()
      const stat = await file.stat()
      assert(stat.sizeBytes === sizeBytes, 'the truncated file has the requested length')
    } finally {
      await file.close()
    }
  }

  /**
   * The appended bytes are not needed any more: they need not be written, nor kept by the journal.
   */
  discard(): void {
    this.#isDiscarded = true
  }

  /**
   * Writes staged bytes, waits for operations in progress, then closes the file. Bytes that could
   * not be written or synced are reported to the journal by `syncJournaled`. Further calls return
   * the same promise: a log is closed by its broker, and by its data directory when that fails.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
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
    // The log has failed, but its journaled records may still be kept.
    if (this.journalFailed && this.#isUnsynced && !this.#isDiscarded) {
      await file?.sync().catch((cause: unknown) => {
        this.#failure ??= writeFailed(this.#options.path(), cause)
      })
    }
    await file?.close()
  }

  /** Syncs and closes the file until it is needed again; see FileHolder. */
  async letGo(): Promise<boolean> {
    // The next append reports the failure.
    if (this.#isUnsynced && !this.#isClosed) await this.sync().catch(() => {})
    if (this.#isClosed || !this.#file) return true
    if (this.#uses > 0 || this.#isUnsynced || this.#isDetached || this.#failure) return false
    const opening = this.#file
    this.#file = undefined
    // It may still be opening, and fail; whoever opens it learns that.
    const file = await opening.catch(() => undefined)
    await file?.close().catch(() => {})
    // It may have been opened again meanwhile.
    return this.#file === undefined
  }

  #mustBeSound(): void {
    if (this.#failure) throw this.#failure
  }

  get #hasStaged(): boolean {
    return this.#staged !== undefined && !this.#staged.isEmpty
  }

  async #readFile(into: Buffer, position: number): Promise<number> {
    // The staged bytes follow those of the file; they may be written and freed during this read.
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
