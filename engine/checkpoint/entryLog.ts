// An append-only file of JSON objects, the ground under the offset log and the commit log. An append is
// durable when its promise resolves; a crash leaves at most one entry torn, which is cut off when the
// file is opened again. All entries are in memory, and `keepFrom` drops the old ones.
//
// Each entry says the version of its format (0 where it says none). Within a version fields may be added
// that a reader can do without: it ignores what it does not know. A field without which a batch would be
// continued wrongly raises the version, and a newer version than the reader's is refused.

import { dirname } from 'node:path'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk.ts'
import { CheckpointError } from './checkpointError.ts'
import { encodeEntry, entryHeaderBytes, readEntries } from './entryFormat.ts'

/** The file is rewritten when this much of it, and more than half, belongs to dropped entries. */
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
  /** Where the next entry goes. */
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
   * Opens or creates the file. `decode` gets what JSON.parse gave and throws for anything else than a
   * value; then, and when an entry in the middle is broken, this throws a CheckpointError: that of
   * `decode`, or CHECKPOINT_DAMAGED. An entry for which `replaces` says so takes the place of the one
   * before it (see replaceLast).
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
    if (isDamaged) throw damaged(path, `the entry at byte ${soundBytes} is broken`)
    const stored = entries.map((entry) => decodeEntry(path, formatVersion, entry, decode))
    const file = await disk.open(path, 'write')
    try {
      if (soundBytes < content.length) await file.truncate(soundBytes)
      // A process that was killed between write and sync left entries that are read now and acted on: a power
      // failure must not take them back after that.
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

  /** The content of a log that has just these entries. */
  static encode(formatVersion: number, values: readonly object[]): Buffer {
    return Buffer.concat(values.map((value) => encodeValue(formatVersion, value)))
  }

  /** How many entries there are. */
  get count(): number {
    return this.#stored.length
  }

  /** Of the file. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The entry at `index`, counted from the oldest; negative from the newest. */
  at(index: number): Value | undefined {
    return this.#stored.at(index)?.value
  }

  *values(): Generator<Value, void> {
    for (const { value } of this.#stored) yield value
  }

  /** Resolves when the entry survives a power failure. One append at a time. */
  append(value: Value): Promise<void> {
    return this.#exclusively(async () => {
      this.#stored.push(await this.#write(value))
    })
  }

  /**
   * Resolves when the value has durably taken the place of the newest one: it is appended, and wins when
   * the log is opened. One append at a time.
   */
  replaceLast(value: Value): Promise<void> {
    return this.#exclusively(async () => {
      const written = await this.#write(value)
      this.#droppedBytes += bytesOf(this.#stored.splice(-1, 1, written))
    })
  }

  /** Drops the entries before `index`. The file follows when that is worth its while. */
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
   * After a failed write, and above all a failed sync, nobody knows what the file holds: nothing is
   * appended any more until it has been opened, and so read, again.
   */
  async #exclusively(change: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    assert(!this.#isBusy, 'a checkpoint has one writer, which waits for each write')
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
    throw damaged(path, `an entry is none: ${(cause as Error).message}`, cause)
  }
}

/** Whether a value is an object that has `isEntry` values only, by whatever names. For decoders. */
export function isRecordOf(value: unknown, isEntry: (entry: unknown) => boolean): boolean {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject && Object.values(value).every(isEntry)
}

/** A directory is there after a power failure only when its parent was synced; and so on up. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  // What cannot even be looked at is left to `makeDirectory`, which says why it cannot be made.
  if ((await disk.stat(directory).catch(() => undefined)) !== undefined) return
  const parent = dirname(directory)
  if (parent !== directory) await makeDurableDirectory(disk, parent)
  await disk.makeDirectory(directory)
  await disk.syncDirectory(parent)
}

function tooNew(path: string, version: number, newestVersion: number): CheckpointError {
  return new CheckpointError(
    'CHECKPOINT_NEWER',
    `${path} was written by a newer version of Millrace (format ${version}; this version reads up to ` +
      `${newestVersion}): start the job with the version that wrote it, or a newer one`,
  )
}

function damaged(path: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'CHECKPOINT_DAMAGED',
    `${path} is damaged: ${what}; put back a copy of the job's whole directory, or remove the directory to start over`,
    cause,
  )
}
