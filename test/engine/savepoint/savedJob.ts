// A job on a disk that can lose power: its directory, logs and states, and batches that count keys.

import { join } from 'node:path'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from '../../../engine/checkpoint/offsetLog.ts'
import type { CodeOfNow } from '../../../engine/contract/codeChange.ts'
import type { OperatorContract } from '../../../engine/contract/statefulOperator.ts'
import {
  commitsFile,
  offsetsFile,
  stateFolder,
  takeDirectory,
} from '../../../engine/jobDirectory.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { DiskStates, makeDurable } from './diskStates.ts'

export const directory = '/jobs/orders'

export function operator(uid: string, change: Partial<OperatorContract> = {}): OperatorContract {
  return { uid, isNamed: true, kind: 'updateStateByKey', shape: '', codec: 'v8', ...change }
}

export const code: CodeOfNow = { code: 'first', operators: [operator('ages'), operator('genders')] }

/** A disk that loses power at its nth change, and keeps a random part of the unsynced data. */
export class CrashingDisk {
  readonly disk: MemoryDisk
  readonly #random: ReturnType<typeof seededRandom>
  #left = Number.POSITIVE_INFINITY

  constructor(seed = 0) {
    this.#random = seededRandom(seed)
    this.disk = new MemoryDisk({
      beforeChange: () => {
        if (this.#left-- <= 0) this.disk.crash({ keepUnsynced: this.#random })
      },
    })
  }

  /**
   * Runs `work`, with a crash before its nth change; returns whether `work` completed before the
   * crash.
   */
  async crashAfter(changes: number, work: () => Promise<unknown>): Promise<boolean> {
    this.#left = changes
    let isDone = true
    try {
      await work()
    } catch (error) {
      isDone = false
      if (this.#left >= 0) throw error
    }
    this.#left = Number.POSITIVE_INFINITY
    this.disk.crash({ keepUnsynced: this.#random })
    return isDone
  }
}

export class SavedJob {
  readonly disk: MemoryDisk
  readonly states: DiskStates
  partitions = 2
  now = code
  directory = directory

  constructor(disk: MemoryDisk) {
    this.disk = disk
    this.states = new DiskStates(disk)
  }

  async take() {
    const job = { name: 'orders', partitions: this.partitions }
    await makeDurable(this.disk, this.directory)
    return await takeDirectory({ disk: this.disk, random: seededRandom(7) }, this.directory, job)
  }

  /**
   * Runs the next batches, first the one that is planned but not committed: batch n has one record
   * with key kn.
   */
  async run(batches: number, { commitLast = true } = {}): Promise<void> {
    const { lock } = await this.take()
    const { offsetLog, commitLog } = await this.#open()
    for (let left = batches; left > 0; left--) {
      const latest = offsetLog.latest()
      const isPlanned = latest !== undefined && latest.batchId > commitLog.latest()
      const batch = isPlanned ? latest : this.#plan(latest)
      if (!isPlanned) await offsetLog.append(batch)
      const { batchId } = batch
      for (const { uid } of this.now.operators) {
        await this.states.count(this.#state(uid), this.partitions, batchId, keysOf(batch))
      }
      const eventTimes = {
        clicks: { 'orders-0': { timeMs: batchId * 10, batchTimeMs: batch.timeMs } },
      }
      const total = (commitLog.latestCommit()?.recordsTotal ?? 0) + keysOf(batch).length
      const states = this.now.operators.map(({ uid }) => uid)
      if (left > 1 || commitLast)
        await commitLog.commit(batchId, { recordsTotal: total, eventTimes, states })
    }
    await this.#close(offsetLog, commitLog)
    await lock.release()
  }

  async logs(): Promise<{
    batches: OffsetLogEntry[]
    committed: number
    states?: readonly string[]
  }> {
    const { lock } = await this.take()
    const { offsetLog, commitLog } = await this.#open()
    const batches = offsetLog.range(0, 1_000_000)
    const committed = commitLog.latest()
    const states = commitLog.latestCommit()?.states
    await this.#close(offsetLog, commitLog)
    await lock.release()
    return { batches, committed, ...(states && { states }) }
  }

  counts(uid: string): Promise<Record<string, number>> {
    return this.states.counts(this.#state(uid), this.partitions)
  }

  timers(uid: string): Promise<string[]> {
    return this.states.timers(this.#state(uid), this.partitions)
  }

  #plan(latest: OffsetLogEntry | undefined): OffsetLogEntry {
    const { code, operators } = this.now
    const batchId = (latest?.batchId ?? -1) + 1
    const from = latest?.ranges[0]?.until ?? 0
    return {
      ...{ batchId, timeMs: (latest?.timeMs ?? 0) + 1000, code, operators },
      ranges: [{ topic: 'orders', topicId: 'id', partition: 0, from, until: from + 1 }],
      watermarks: { clicks: batchId * 10 - 5 },
    }
  }

  async #open() {
    return {
      offsetLog: await OffsetLog.open(this.disk, join(this.directory, offsetsFile)),
      commitLog: await CommitLog.open(this.disk, join(this.directory, commitsFile)),
    }
  }

  async #close(offsetLog: OffsetLog, commitLog: CommitLog): Promise<void> {
    await offsetLog.close()
    await commitLog.close()
  }

  #state(uid: string): string {
    return join(this.directory, stateFolder, uid)
  }
}

/** Returns a key for each offset of the batch. */
export function keysOf({ ranges }: OffsetLogEntry): string[] {
  return ranges.flatMap(({ from, until }) =>
    Array.from({ length: until - from }, (_, at) => `k${from + at}`),
  )
}

/** Returns the counts when every record below the offset was counted once. */
export function countsUpTo(offset: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: offset }, (_, at) => [`k${at}`, 1]))
}
