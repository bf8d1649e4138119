// The commit log: the batches that are done, written after a batch's results and state. Batches in
// the offset log after the newest commit are rerun after a start.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { EntryLog, isRecordOf } from './entryLog.ts'

export interface Commit {
  readonly batchId: number
  /** Records of all counted batches; undefined in commits of format 0. */
  readonly recordsTotal?: number | undefined
  /** Committed batches whose records are not counted yet (see RecordCount). */
  readonly uncounted?: readonly number[] | undefined
  /**
   * Uids of the operators whose state exists since this batch or an earlier one, sorted; a start
   * checks that it exists. Undefined in commits of earlier releases.
   */
  readonly states?: readonly string[] | undefined
  /** Input of the watermarks: by uid of the withWatermark, then by `topic-partition`. */
  readonly eventTimes?: Readonly<Record<string, Readonly<Record<string, SeenTime>>>> | undefined
}

/** Event times of a topic partition, as far as batches have read it. */
export interface SeenTime {
  /** The largest event time, in ms since the epoch; undefined until a record has given one. */
  readonly timeMs?: number | undefined
  /**
   * Nominal time of the newest batch in which a record gave an event time; until then, of the first
   * batch.
   */
  readonly batchTimeMs: number
  /**
   * Nominal time during which batches have since read only records without an event time, in ms.
   */
  readonly fruitlessMs?: number | undefined
}

/**
 * Format of the entries written (see EntryLog). 2: event times, without which watermarks would
 * restart.
 */
const formatVersion = 2
/** A job can be rewound by as many batches as its state (see rewindPlan), and one more. */
const keptCommits = 4

export class CommitLog {
  readonly #log: EntryLog<Commit>

  private constructor(log: EntryLog<Commit>) {
    this.#log = log
  }

  /** Opens the log in file `path`, creating it if it does not exist. */
  static async open(disk: Disk, path: string): Promise<CommitLog> {
    return new CommitLog(await EntryLog.open(disk, path, formatVersion, decodeCommit))
  }

  /** Encodes a log with exactly these commits. */
  static encode(commits: readonly Commit[]): Buffer {
    return EntryLog.encode(formatVersion, commits)
  }

  /** The newest committed batch; -1 for none. */
  latest(): number {
    return this.#log.at(-1)?.batchId ?? -1
  }

  /** The newest commit; undefined for an empty log. */
  latestCommit(): Commit | undefined {
    return this.#log.at(-1)
  }

  /** The newest few commits, oldest first. */
  commits(): Commit[] {
    return [...this.#log.values()]
  }

  /** Returns the commit of a batch, if it is one of the newest, which are kept. */
  get(batchId: number): Commit | undefined {
    for (const commit of this.#log.values()) if (commit.batchId === batchId) return commit
    return undefined
  }

  /** Resolves when it is durable that batch `batchId`, and all before it, are committed. */
  async commit(batchId: number, counted: Omit<Commit, 'batchId'> = {}): Promise<void> {
    assert(
      batchId > this.latest(),
      `batch ${batchId} must not be committed after batch ${this.latest()}`,
    )
    await this.#log.append({ batchId, ...counted })
    await this.#log.keepFrom(Math.max(0, this.#log.count - keptCommits))
  }

  /** Size of the file. */
  get sizeBytes(): number {
    return this.#log.sizeBytes
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

/** Throws a TypeError for anything other than a commit. */
export function decodeCommit(parsed: unknown): Commit {
  const commit = parsed as Partial<Commit> | null
  const { batchId, recordsTotal = 0, uncounted = [], states = [], eventTimes = {} } = commit ?? {}
  const numbers = [batchId, recordsTotal, ...(Array.isArray(uncounted) ? uncounted : [undefined])]
  if (!numbers.every(Number.isSafeInteger)) throw new TypeError('not a committed batch')
  if (!Array.isArray(states) || !states.every((uid) => typeof uid === 'string')) {
    throw new TypeError('a state has no name')
  }
  if (!isRecordOf(eventTimes, (times) => isRecordOf(times, isSeenTime))) {
    throw new TypeError('invalid event times')
  }
  return commit as Commit
}

function isSeenTime(value: unknown): boolean {
  const { timeMs, batchTimeMs, fruitlessMs = 0 } = (value ?? {}) as Partial<SeenTime>
  const isTime = timeMs === undefined || Number.isFinite(timeMs)
  return isTime && Number.isFinite(batchTimeMs) && Number.isFinite(fruitlessMs)
}
