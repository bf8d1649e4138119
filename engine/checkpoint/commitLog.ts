// Which batches are done, written after a batch's results and state are. What the offset log has
// beyond the newest commit is run again after a start.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { EntryLog, isRecordOf } from './entryLog.ts'

export interface Commit {
  readonly batchId: number
  /** Records of all batches that have been counted; undefined in commits of format 0. */
  readonly recordsTotal?: number | undefined
  /** Committed batches whose records are not counted yet (see RecordCount). */
  readonly uncounted?: readonly number[] | undefined
  /**
   * Uids of the operators that have had state since a batch up to this one, sorted: it has to be there. Undefined
   * in commits of earlier releases.
   */
  readonly states?: readonly string[] | undefined
  /** What watermarks are made of: by uid of the withWatermark, then by `topic-partition`. */
  readonly eventTimes?: Readonly<Record<string, Readonly<Record<string, SeenTime>>>> | undefined
}

/** The event times of a topic partition, as far as batches have read it. */
export interface SeenTime {
  /** The largest event time, in milliseconds since the epoch; undefined until a record has given one. */
  readonly timeMs?: number | undefined
  /** Nominal time of the newest batch in which a record gave a time; before that, of the first batch. */
  readonly batchTimeMs: number
  /** For how long, in nominal time, batches have since read records none of which gave a time. */
  readonly fruitlessMs?: number | undefined
}

/** Of the entries that are written (see EntryLog). 2: event times, without which watermarks start anew. */
const formatVersion = 2
/** So that a job can be set back by as many batches as its state can (see rewindPlan), and one more. */
const keptCommits = 4

export class CommitLog {
  readonly #log: EntryLog<Commit>

  private constructor(log: EntryLog<Commit>) {
    this.#log = log
  }

  /** Opens the log in file `path`, empty when there is none. */
  static async open(disk: Disk, path: string): Promise<CommitLog> {
    return new CommitLog(await EntryLog.open(disk, path, formatVersion, decodeCommit))
  }

  /** The content of a log that has just these commits. */
  static encode(commits: readonly Commit[]): Buffer {
    return EntryLog.encode(formatVersion, commits)
  }

  /** The newest batch that is done; -1 when none is. */
  latest(): number {
    return this.#log.at(-1)?.batchId ?? -1
  }

  /** The newest commit; undefined when there is none. */
  latestCommit(): Commit | undefined {
    return this.#log.at(-1)
  }

  /** The newest few, oldest first. */
  commits(): Commit[] {
    return [...this.#log.values()]
  }

  /** The commit of a batch, as long as it is kept: that of the newest batches. */
  get(batchId: number): Commit | undefined {
    for (const commit of this.#log.values()) if (commit.batchId === batchId) return commit
    return undefined
  }

  /** Resolves when it is durable that batch `batchId`, and all before it, are done. */
  async commit(batchId: number, counted: Omit<Commit, 'batchId'> = {}): Promise<void> {
    assert(batchId > this.latest(), `batch ${batchId} is committed after ${this.latest()}`)
    await this.#log.append({ batchId, ...counted })
    await this.#log.keepFrom(Math.max(0, this.#log.count - keptCommits))
  }

  /** Of the file. */
  get sizeBytes(): number {
    return this.#log.sizeBytes
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

/** Throws a TypeError for anything else than a commit. */
export function decodeCommit(parsed: unknown): Commit {
  const commit = parsed as Partial<Commit> | null
  const { batchId, recordsTotal = 0, uncounted = [], states = [], eventTimes = {} } = commit ?? {}
  const numbers = [batchId, recordsTotal, ...(Array.isArray(uncounted) ? uncounted : [undefined])]
  if (!numbers.every(Number.isSafeInteger)) throw new TypeError('not a committed batch')
  if (!Array.isArray(states) || !states.every((uid) => typeof uid === 'string')) {
    throw new TypeError('states that have no names')
  }
  if (!isRecordOf(eventTimes, (times) => isRecordOf(times, isSeenTime))) {
    throw new TypeError('event times that are none')
  }
  return commit as Commit
}

function isSeenTime(value: unknown): boolean {
  const { timeMs, batchTimeMs, fruitlessMs = 0 } = (value ?? {}) as Partial<SeenTime>
  const isTime = timeMs === undefined || Number.isFinite(timeMs)
  return isTime && Number.isFinite(batchTimeMs) && Number.isFinite(fruitlessMs)
}
