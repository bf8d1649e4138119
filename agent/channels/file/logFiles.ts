// The files of a file channel's log, in order: which file is next, and which ones the log no longer
// needs. Their numbers have no gap, so that a missing file is noticed.
//
// A file is not needed once all events in it and before it have left the channel, or if no event
// was put in it and the next file is durable: the snapshot at the start of that one repeats the
// rest. The next file then takes its name, so that the numbers have no gap.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { type LogFile, logFileNumber, newLogFile, pathOf } from './logFile.ts'

export class LogFiles {
  readonly #disk: Disk
  readonly #directories: readonly string[]
  #files: LogFile[] = []
  /** A directory with a rename that may not be durable yet. */
  #renamedIn: string | undefined

  constructor(disk: Disk, directories: readonly string[]) {
    this.#disk = disk
    this.#directories = directories
  }

  /** The file that is written to. */
  get last(): LogFile | undefined {
    return this.#files.at(-1)
  }

  /** Lists the files on disk, none of them open; returns the number of a missing file, if any. */
  async list(): Promise<{ files: readonly LogFile[]; missing: number | undefined }> {
    const files: LogFile[] = []
    for (const directory of this.#directories) {
      for (const name of await this.#disk.list(directory)) {
        const number = logFileNumber(name)
        if (number !== undefined) files.push(newLogFile(directory, { number }))
      }
    }
    files.sort((a, b) => a.number - b.number)
    this.#files = files
    const gap = files.findIndex(({ number }, index) => number !== files[0]!.number + index)
    return { files, missing: gap < 0 ? undefined : files[gap]!.number - 1 }
  }

  /** Adds the next file, which the first write creates; `nextEvent` is the first event in it. */
  begin(nextEvent: number, snapshotBytes: number, directory = this.#nextDirectory()): LogFile {
    const { last } = this
    if (last !== undefined) last.endEvent = nextEvent
    const logFile = newLogFile(directory, { snapshotBytes })
    this.#files.push(logFile)
    return logFile
  }

  /** Opens a file for writing; returns whether it is new, and its name not durable yet. */
  async create(logFile: LogFile): Promise<boolean> {
    if (logFile.file !== undefined) return false
    // The new file may have the number that the renamed one had before.
    await this.#syncRename()
    const before = this.#files[this.#files.indexOf(logFile) - 1]
    logFile.number = (before?.number ?? 0) + 1
    logFile.file = await this.#disk.open(pathOf(logFile), 'write')
    return true
  }

  /** Removes the files at the end that have no valid record: their writes failed or were torn. */
  async removeUnwritten(): Promise<void> {
    for (let last = this.last; last?.durableBytes === 0; last = this.last) {
      await last.file?.close().catch(() => {})
      last.file = undefined
      // Without a number nothing has created it.
      if (last.number > 0) {
        await this.#disk.remove(pathOf(last))
        await this.#disk.syncDirectory(last.directory)
      }
      this.#files.pop()
    }
  }

  /** Removes the files that are not needed: every event below `lowestHeld` has left the channel. */
  async removeUnneeded(lowestHeld: number): Promise<void> {
    await this.#removeDrained(lowestHeld)
    await this.#replaceEmpty()
  }

  async #removeDrained(lowestHeld: number): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#files
      if (oldest?.endEvent === undefined || oldest.endEvent > lowestHeld) return
      // Until the next file is durable, writes to this one may be queued, and only this one has the
      // positions that the snapshot of the next one repeats.
      if (next === undefined || next.durableBytes === 0) return
      // No take reads this file any more: all its events have left the channel.
      const { file } = oldest
      oldest.file = undefined
      await file?.close()
      await this.#disk.remove(pathOf(oldest))
      await this.#disk.syncDirectory(oldest.directory)
      this.#files.shift()
    }
  }

  /** Renames the last durable file over the one before it, as long as that one has no events. */
  async #replaceEmpty(): Promise<void> {
    for (;;) {
      const at = this.#files.findLastIndex(({ durableBytes }) => durableBytes > 0)
      const last = this.#files[at]
      const empty = this.#files[at - 1]
      if (last === undefined || empty === undefined) break
      if (empty.hasEvents || empty.directory !== last.directory) break
      await this.#disk.rename(pathOf(last), pathOf(empty))
      this.#renamedIn = last.directory
      last.number = empty.number
      this.#files.splice(at - 1, 1)
      await empty.file?.close()
    }
    await this.#syncRename()
  }

  async #syncRename(): Promise<void> {
    if (this.#renamedIn === undefined) return
    await this.#disk.syncDirectory(this.#renamedIn)
    this.#renamedIn = undefined
  }

  /** The directories in turn; the one of the last file if the new file will replace that one. */
  #nextDirectory(): string {
    const { last } = this
    if (last !== undefined && !last.hasEvents) return last.directory
    const at = last === undefined ? -1 : this.#directories.indexOf(last.directory)
    return this.#directories[(at + 1) % this.#directories.length]!
  }

  async close(): Promise<void> {
    for (const { file } of this.#files.splice(0)) await file?.close()
  }
}
