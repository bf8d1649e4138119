// Which batches are done, written after a batch's results and state are. What the offset log has
// beyond the newest commit is run again after a start.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { EntryLog } from './entryLog.ts'

export interface Commit {
  readonly batchId: number
  /** Records of all batches that have been counted; undefined in commits of format 0. */
  readonly recordsTotal?: number | undefined
  /** Committed batches whose records are not counted yet (see RecordCount). */
  readonly uncounted?: readonly number[] | undefined
  /** What watermarks are made of: by uid of the withWatermark, then by `topic-partition`. */
  readonly eventTimes?: Readonly<Record<string, Readonly<Record<string, SeenTime>>>> | undefined
}

/** The event times of a topic partition, as far as batches have read it. */
export interface SeenTime {
  /** The largest event time, in milliseconds since the epoch. */
  readonly timeMs: number
  /** Nominal time of the newest batch that had a record of the partition. */
  readonly batchTimeMs: number
}

/** Of the entries that are written (see EntryLog). */
const formatVersion = 1

export class CommitLog {
  readonly #log: EntryLog<Commit>

  private constructor(log: EntryLog<Commit>) {
    this.#log = log
  }

  /** Opens the log in file `path`, empty when there is none. */
  static async open(disk: Disk, path: string): Promise<CommitLog> {
    return new CommitLog(await EntryLog.open(disk, path, formatVersion, decode))
  }

  /** The newest batch that is done; -1 when none is. */
  latest(): number {
    return this.#log.at(-1)?.batchId ?? -1
  }

  /** The newest commit; undefined when there is none. */
  latestCommit(): Commit | undefined {
    return this.#log.at(-1)
  }

  /** Resolves when it is durable that batch `batchId`, and all before it, are done. */
  async commit(batchId: number, counted: Omit<Commit, 'batchId'> = {}): Promise<void> {
    assert(batchId > this.latest(), `batch ${batchId} is committed after ${this.latest()}`)
    await this.#log.append({ batchId, ...counted })
    await this.#log.keepFrom(this.#log.count - 1)
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

function decode(parsed: unknown): Commit {
  const commit = parsed as Partial<Commit> | null
  const { batchId, recordsTotal = 0, uncounted = [] } = commit ?? {}
  const numbers = [batchId, recordsTotal, ...(Array.isArray(uncounted) ? uncounted : [undefined])]
  if (!numbers.every(Number.isSafeInteger)) throw new TypeError('not a committed batch')
  return commit as Commit
}
