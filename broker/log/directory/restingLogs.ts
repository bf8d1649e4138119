// The file with the state of idle logs of a data directory (resting-logs), so that a start does not
// have to open thousands of partitions one by one, neither after a clean shutdown nor after a
// crash, during which nearly all logs are idle.
//
// A saved state is used only if the log is provably unchanged. It is taken of a log whose recovery
// point is its end, so that all of it is durable. Every later change leaves a trace: appends and
// truncations change the size and the time of the last segment file; a new, removed or replaced
// segment changes the time of the directory. A time does not show changes within one tick of the
// file system's clock, so a state is only saved if the last change is longer ago. Deletions inside
// a segment, and truncations below the recovery point, are durable in the checkpoints before they
// happen (resumeLog compares). After a clean shutdown only the directory is checked, because no
// process had the log open.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import {
  decodeRestingLogs,
  encodeRestingLog,
  encodeRestingLogs,
  type RestingLog,
  type RestingState,
} from '../recovery/restingLog.ts'
import { deletedSuffix, segmentFileName } from '../segment/segmentFiles.ts'
import { hasSwaps } from '../segment/segmentSwap.ts'

const fileName = 'resting-logs'

/** Longer than a tick of the file system's clock (10 ms at most). */
const tickMs = 100
/** For file systems that store whole seconds only. */
const wholeSecondsMs = 2000

/** A log, as far as its state is saved. */
export interface NotableLog {
  readonly topicId: string | undefined
  readonly log: {
    readonly logStartOffset: number
    readonly logEndOffset: number
    readonly size: number
    /** Undefined while appends are in flight. */
    restingState(): RestingState | undefined
  }
}

/** Whether a change at this time is certainly over: later changes get a later time. */
type IsOld = (timeMs: number, nowMs: number) => boolean

interface Note {
  readonly line: string
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly sizeBytes: number
}

export class RestingLogs {
  readonly #disk: Disk
  readonly #directory: string
  readonly #nowMs: () => number
  /** The states in the file at the start whose partitions have not been opened yet. */
  readonly #inherited: Map<string, RestingLog>
  readonly #wasClosed: boolean
  /** The states to save, by the names of the partitions' directories. */
  readonly #notes = new Map<string, Note>()

  private constructor(
    disk: Disk,
    directory: string,
    nowMs: () => number,
    inherited: Map<string, RestingLog>,
    wasClosed: boolean,
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#nowMs = nowMs
    this.#inherited = inherited
    this.#wasClosed = wasClosed
  }

  /** `wasClosed`: the directory was closed cleanly when it was last in use. */
  static async open(
    disk: Disk,
    directory: string,
    nowMs: () => number,
    wasClosed: boolean,
  ): Promise<RestingLogs> {
    const path = join(directory, fileName)
    const bytes = await disk.readFile(path)
    const inherited = bytes ? decodeRestingLogs(bytes) : new Map<string, RestingLog>()
    // Saved at the last moment and opened again immediately: a change now may leave no trace.
    if ([...inherited.values()].some((log) => !isLeftAlone(log, nowMs()))) {
      await disk.remove(path)
      await disk.syncDirectory(directory)
    }
    return new RestingLogs(disk, directory, nowMs, inherited, wasClosed)
  }

  /**
   * The saved state of a log that is about to be opened; undefined if it may be outdated.
   * `directoryModifiedMs` is undefined for a log that is being created.
   */
  async take(
    name: string,
    directoryModifiedMs: number | undefined,
  ): Promise<RestingLog | undefined> {
    const log = this.#inherited.get(name)
    this.#inherited.delete(name)
    if (log === undefined || log.directoryModifiedMs !== directoryModifiedMs) return undefined
    if (!this.#wasClosed && !(await this.#endsAsNoted(name, log))) return undefined
    if (isLeftAlone(log, this.#nowMs())) this.#keep(name, log)
    return log
  }

  /** The topic id of the partition, if its state was saved and it has not been opened yet. */
  topicIdOf(name: string): string | undefined {
    return this.#inherited.get(name)?.topicId
  }

  /** Saves the state of all logs that have been idle for long enough and are not saved yet. */
  async note(logs: ReadonlyMap<string, NotableLog>): Promise<void> {
    // One at a time, to leave the disk to appends.
    const isNew = await this.#noteEach(logs, isPast, 1)
    if (isNew) await this.#write(logs)
  }

  /** Saves the state of all logs after they were closed, when no one changes them any more. */
  async noteClosed(logs: ReadonlyMap<string, NotableLog>): Promise<void> {
    if (await this.#noteEach(logs, () => true)) await this.#write(logs)
  }

  /** Returns whether any state is new. */
  async #noteEach(
    logs: ReadonlyMap<string, NotableLog>,
    isOld: IsOld,
    atOnce?: number,
  ): Promise<boolean> {
    const changed = [...logs].filter(([name, { log }]) => !this.#isNoted(name, log))
    let isNew = false
    const note = async ([name, managed]: [string, NotableLog]) => {
      this.#notes.delete(name)
      const log = await this.#look(name, managed, isOld)
      if (log === undefined) return
      this.#keep(name, log)
      isNew = true
    }
    await inParallel(changed, note, atOnce)
    return isNew
  }

  async #write(logs: ReadonlyMap<string, NotableLog>): Promise<void> {
    for (const name of this.#notes.keys()) if (!logs.has(name)) this.#notes.delete(name)
    const lines = [...this.#notes.values()].map(({ line }) => line)
    await this.#disk.writeFileAtomic(join(this.#directory, fileName), encodeRestingLogs(lines))
  }

  #isNoted(name: string, { logStartOffset, logEndOffset, size }: NotableLog['log']): boolean {
    const note = this.#notes.get(name)
    return (
      note?.logEndOffset === logEndOffset &&
      note.logStartOffset === logStartOffset &&
      note.sizeBytes === size
    )
  }

  #keep(name: string, log: RestingLog): void {
    const { logStartOffset, logEndOffset, segments } = log
    const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    const line = encodeRestingLog(name, log)
    this.#notes.set(name, { line, logStartOffset, logEndOffset, sizeBytes })
  }

  /**
   * The state of the log and its files; undefined if they have changed, or files have to be
   * removed.
   */
  async #look(
    name: string,
    { topicId, log }: NotableLog,
    isOld: IsOld,
  ): Promise<RestingLog | undefined> {
    // Taken first: any later change must have a later time.
    const nowMs = this.#nowMs()
    const state = log.restingState()
    if (state === undefined) return undefined
    const directory = join(this.#directory, name)
    const { modifiedMs: directoryModifiedMs } = (await this.#disk.stat(directory)) ?? {}
    if (directoryModifiedMs === undefined || !isOld(directoryModifiedMs, nowMs)) return undefined
    const file = await this.#disk.stat(lastFile(directory, state))
    if (file?.sizeBytes !== state.segments.at(-1)!.sizeBytes) return undefined
    if (!isOld(file.modifiedMs, nowMs)) return undefined
    const names = await this.#namesIn(directory)
    if (names === undefined || hasLeftovers(names)) return undefined
    return { ...state, topicId, directoryModifiedMs, fileModifiedMs: file.modifiedMs }
  }

  /** Undefined if the directory was removed meanwhile, with its topic. */
  async #namesIn(directory: string): Promise<string[] | undefined> {
    try {
      return await this.#disk.list(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return undefined
    }
  }

  async #endsAsNoted(name: string, log: RestingLog): Promise<boolean> {
    const stat = await this.#disk.stat(lastFile(join(this.#directory, name), log))
    return (
      stat?.sizeBytes === log.segments.at(-1)?.sizeBytes && stat?.modifiedMs === log.fileModifiedMs
    )
  }
}

function lastFile(directory: string, { segments }: RestingState): string {
  return join(directory, segmentFileName(segments.at(-1)!.baseOffset, '.log'))
}

/** Whether there are files that only a recovery removes. */
function hasLeftovers(names: readonly string[]): boolean {
  return hasSwaps(names) || names.some((name) => name.endsWith(deletedSuffix))
}

function isLeftAlone({ directoryModifiedMs, fileModifiedMs }: RestingLog, nowMs: number): boolean {
  return isPast(directoryModifiedMs, nowMs) && isPast(fileModifiedMs, nowMs)
}

/** Whether a change now gets a later time from the file system. */
function isPast(timeMs: number, nowMs: number): boolean {
  const marginMs = timeMs % 1000 === 0 ? wholeSecondsMs : tickMs
  return timeMs + marginMs < nowMs
}
