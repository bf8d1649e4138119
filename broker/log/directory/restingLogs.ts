// The file in which a data directory writes down what its logs are while nothing happens in them
// (resting-logs), so that a start does not look into thousands of partitions one by one: not after
// an orderly end, and not after a crash either, which nearly all logs slept through.
//
// A note is believed only while the log is provably as it was noted. It is taken of a log whose
// recovery point is its end, so all of it was durable. After that whatever changes a log leaves a
// mark: appends and cuts change the size and the time of the last segment's file, and a new,
// removed or replaced segment changes the time of the directory. A time proves nothing about what
// happens within the file system's next tick, so a note is only taken of what has been left alone
// for longer. Deletions inside of a segment and cuts below the recovery point are in the
// checkpoints, durably, before they happen (resumeLog compares). After an orderly end only the
// directory is asked: nobody had the log open.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
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

/** Longer than the tick of a file system's clock (10 ms at most)... */
const tickMs = 100
/** ...unless it keeps whole seconds only. */
const wholeSecondsMs = 2000

/** A log, as far as it is written down. */
export interface NotableLog {
  readonly topicId: string | undefined
  readonly log: {
    readonly logStartOffset: number
    readonly logEndOffset: number
    readonly size: number
    /** Undefined while something is on its way. */
    restingState(): RestingState | undefined
  }
}

/** Whether what the file system has changed at that time is certain not to be changing now. */
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
  /** What the file said at the start, as far as nobody has asked for it. */
  readonly #inherited: Map<string, RestingLog>
  readonly #wasClosed: boolean
  /** By the names of the partitions' directories: what the file is to say. */
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

  /** `wasClosed`: the last holder of the directory ended in order. */
  static async open(
    disk: Disk,
    directory: string,
    nowMs: () => number,
    wasClosed: boolean,
  ): Promise<RestingLogs> {
    const path = join(directory, fileName)
    const bytes = await disk.readFile(path)
    const inherited = bytes ? decodeRestingLogs(bytes) : new Map<string, RestingLog>()
    // Noted at the last moment, and opened again at once: what happens now may leave no mark.
    if ([...inherited.values()].some((log) => !isLeftAlone(log, nowMs()))) {
      await disk.remove(path)
      await disk.syncDirectory(directory)
    }
    return new RestingLogs(disk, directory, nowMs, inherited, wasClosed)
  }

  /**
   * What was noted of a log that is about to be opened; undefined when it may not be so any more.
   * `directoryModifiedMs` is undefined for one that is being made.
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

  /**
   * Of the topic that the partition belonged to, if it was noted and nobody has asked for it yet.
   */
  topicIdOf(name: string): string | undefined {
    return this.#inherited.get(name)?.topicId
  }

  /** Of all logs here: notes what is not noted yet and has been left alone for long enough. */
  async note(logs: ReadonlyMap<string, NotableLog>): Promise<void> {
    // One at a time: appends need the disk meanwhile.
    const isNew = await this.#noteEach(logs, isPast, 1)
    if (isNew) await this.#write(logs)
  }

  /** The same of all logs once they are closed, when nobody changes them any more. */
  async noteClosed(logs: ReadonlyMap<string, NotableLog>): Promise<void> {
    if (await this.#noteEach(logs, () => true)) await this.#write(logs)
  }

  /** Whether anything was noted. */
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
   * The log and its files as they are; undefined when something is new, or has to be taken away.
   */
  async #look(
    name: string,
    { topicId, log }: NotableLog,
    isOld: IsOld,
  ): Promise<RestingLog | undefined> {
    // Before anything is looked at: what happens after that must have a later time.
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

  /** Undefined when the directory has gone since: topics are deleted while their logs are noted. */
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

/** What only a start that looks into the directory takes away. */
function hasLeftovers(names: readonly string[]): boolean {
  return hasSwaps(names) || names.some((name) => name.endsWith(deletedSuffix))
}

function isLeftAlone({ directoryModifiedMs, fileModifiedMs }: RestingLog, nowMs: number): boolean {
  return isPast(directoryModifiedMs, nowMs) && isPast(fileModifiedMs, nowMs)
}

/** Whether what happens now gets another time from the file system. */
function isPast(timeMs: number, nowMs: number): boolean {
  const marginMs = timeMs % 1000 === 0 ? wholeSecondsMs : tickMs
  return timeMs + marginMs < nowMs
}
