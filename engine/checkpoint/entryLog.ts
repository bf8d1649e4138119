// An append-only file of JSON objects, on which the offset log and the commit log are built. An
// append is durable when its promise resolves. A crash leaves at most one torn entry, which is
// truncated when the file is opened. All entries are held in memory; `keepFrom` drops old ones.
//
// Each entry has a format version (0 when absent). Fields that a reader can do without may be added
// within a version: unknown fields are ignored. A field without which a batch would be continued
// incorrectly requires a new version. It must never accept an entry of a newer version than its
// own.

import { dirname } from 'node:path'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk/disk.ts'
import { makeDurableDirectory } from '../../protocol/runtime/disk/durableDirectory.ts'
import { CheckpointError } from './checkpointError.ts'
import { encodeEntry, entryHeaderBytes, readEntries } from './entryFormat.ts'

/**
 * The file is rewritten when this many bytes, and more than half of it, belong to dropped entries.
 */
const rewriteBytes = 64 * 1024

interface Versioned {
  readonly formatVersion?: number
}

interface Stored<Value> {
  readonly value: Value
  readonly sizeBytes: number
}

export class EntryLog<Value extends object> {
  readonly #disk: Disk
  readonly #path: string
  readonly #formatVersion: number
  #file: DiskFile
  #stored: Stored<Value>[]
  /** Position of the next entry. */
  #sizeBytes: number
  #droppedBytes = 0
  #isBusy = false
  #failure: CheckpointError | undefined

  private constructor(disk: Disk, file: DiskFile, formatVersion: number, read: Stored<Value>[]) {
    this.#disk = disk
    this.#formatVersion = formatVersion
    this.#path = file.path
    this.#file = file
    this.#stored = read
    this.#sizeBytes = bytesOf(read)
  }

  /**
   * Opens or creates the file. `decode` receives the result of JSON.parse and throws for anything
   * other than a value; the error is CHECKPOINT_DAMAGED then, unless it is already a
   * CheckpointError. Throws CHECKPOINT_DAMAGED also for an invalid entry in the middle. An entry
   * for which `replaces` returns true supersedes the one before it (see replaceLast).
   */
  static async open<Value extends object>(
    disk: Disk,
    path: string,
    formatVersion: number,
    decode: (parsed: unknown) => Value,
    replaces: (older: Value, newer: Value) => boolean = () => false,
  ): Promise<EntryLog<Value>> {
    await makeDurableDirectory(disk, dirname(path))
    const content = (await disk.readFile(path)) ?? Buffer.alloc(0)
    const { entries, soundBytes, isDamaged } = readEntries(content)
    if (isDamaged) throw damaged(path, `the entry at byte ${soundBytes} is invalid`)
    const stored = entries.map((entry) => decodeEntry(path, formatVersion, entry, decode))
    const file = await disk.open(path, 'write')
    try {
      if (soundBytes < content.length) await file.truncate(soundBytes)
      // A process killed between write and sync leaves entries that are read, and acted on, now; a
      // power failure must not remove them afterwards.
      if (content.length > 0) await file.sync()
      await disk.syncDirectory(dirname(path))
    } catch (error) {
      await file.close()
      throw error
    }
    const log = new EntryLog(disk, file, formatVersion, stored)
    log.#dropReplaced(replaces)
    return log
  }

  /** Encodes a log with exactly these entries. */
  static encode(formatVersion: number, values: readonly object[]): Buffer {
    return Buffer.concat(values.map((value) => encodeValue(formatVersion, value)))
  }

  /** Number of entries. */
  get count(): number {
    return this.#stored.length
  }

  /** Size of the file. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Returns the entry at `index`, counted from the oldest; negative from the newest. */
  at(index: number): Value | undefined {
    return this.#stored.at(index)?.value
  }

  *values(): Generator<Value, void> {
    for (const { value } of this.#stored) yield value
  }

  /** Resolves when the entry is durable. One append at a time. */
  append(value: Value): Promise<void> {
    return this.#exclusively(async () => {
      this.#stored.push(await this.#write(value))
    })
  }

  /**
   * Resolves when the value has durably replaced the newest one: it is appended, and supersedes the
   * older one when the log is opened. One append at a time.
   */
  replaceLast(value: Value): Promise<void> {
    return this.#exclusively(async () => {
      const written = await this.#write(value)
      this.#droppedBytes += bytesOf(this.#stored.splice(-1, 1, written))
    })
  }

  /** Drops the entries before `index`. The file is rewritten once enough of it is unused. */
  async keepFrom(index: number): Promise<void> {
    this.#droppedBytes += bytesOf(this.#stored.splice(0, index))
    const isWorthwhile = this.#droppedBytes >= rewriteBytes
    if (isWorthwhile && this.#droppedBytes * 2 > this.#sizeBytes) {
      await this.#exclusively(() => this.#rewrite())
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #write(value: Value): Promise<Stored<Value>> {
    const entry = encodeValue(this.#formatVersion, value)
    await this.#file.write([entry], this.#sizeBytes)
    await this.#file.sync()
    this.#sizeBytes += entry.length
    return { value, sizeBytes: entry.length }
  }

  #dropReplaced(replaces: (older: Value, newer: Value) => boolean): void {
    const isReplaced = ({ value }: Stored<Value>, at: number) => {
      const next = this.#stored[at + 1]
      return next !== undefined && replaces(value, next.value)
    }
    this.#droppedBytes = bytesOf(this.#stored.filter(isReplaced))
    this.#stored = this.#stored.filter((stored, at) => !isReplaced(stored, at))
  }

  async #rewrite(): Promise<void> {
    const content = EntryLog.encode(
      this.#formatVersion,
      this.#stored.map(({ value }) => value),
    )
    await this.#disk.writeFileAtomic(this.#path, content)
    const replaced = this.#file
    this.#file = await this.#disk.open(this.#path, 'write')
    this.#sizeBytes = content.length
    this.#droppedBytes = 0
    await replaced.close()
  }

  /**
   * After a failed write, and above all a failed sync, the content of the file is unknown: nothing
   * more is appended until it has been opened, and so read, again.
   */
  async #exclusively(change: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    assert(!this.#isBusy, 'a checkpoint file must have one writer, which awaits each write')
    this.#isBusy = true
    try {
      await change()
    } catch (cause) {
      const message = `cannot write ${this.#path}: ${(cause as Error).message}`
      this.#failure = new CheckpointError('CHECKPOINT_FAILED', message, cause)
      throw this.#failure
    } finally {
      this.#isBusy = false
    }
  }
}

function bytesOf(stored: readonly { readonly sizeBytes: number }[]): number {
  return stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

function encodeValue(formatVersion: number, value: object): Buffer {
  const versioned: Versioned = { formatVersion, ...value }
  return encodeEntry(Buffer.from(JSON.stringify(versioned)))
}

function decodeEntry<Value>(
  path: string,
  newestVersion: number,
  entry: Buffer,
  decode: (parsed: unknown) => Value,
): Stored<Value> {
  try {
    const { formatVersion = 0, ...parsed } = JSON.parse(entry.toString()) as Versioned
    if (formatVersion > newestVersion) throw tooNew(path, formatVersion, newestVersion)
    const value = decode(parsed)
    return { value, sizeBytes: entryHeaderBytes + entry.length }
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause
    throw damaged(path, `an entry is invalid: ${(cause as Error).message}`, cause)
  }
}

/** Whether a value is an object whose values all satisfy `isEntry`. For decoders. */
export function isRecordOf(value: unknown, isEntry: (entry: unknown) => boolean): boolean {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject && Object.values(value).every(isEntry)
}

function tooNew(path: string, version: number, newestVersion: number): CheckpointError {
  return new CheckpointError(
    'CHECKPOINT_NEWER',
    `${path} was written by a newer version of Millrace (format ${version}; this version reads up to ` +
      `${newestVersion}); start the job with the version that wrote it, or a newer one`,
  )
}

function damaged(path: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'CHECKPOINT_DAMAGED',
    `${path} is damaged: ${what}; restore a copy of the job's whole directory, or remove the directory to start over`,
    cause,
  )
}
