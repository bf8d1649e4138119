// Faults planted in the engine, each as a plausible mistake: a part of the engine, wrapped so that
// it does almost the right thing. Schedules of failures must find every fault.

import type { OffsetLog } from '../../../engine/checkpoint/offsetLog.ts'
import type { StartExecutor, Task, TaskReport } from '../../../engine/executor/task.ts'
import type { Bucket } from '../../../engine/rdd/lineage.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import type { Scanner } from '../../../engine/sources/topicScanner.ts'
import type { StateDatabase } from '../../../engine/state/stateDatabase.ts'
import type { Seams } from '../../../engine/testing/testCluster.ts'
import type { TestProcess, TestWorld } from '../../../engine/testing/testWorld.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'

export const engineFaults: Record<string, (world: TestWorld) => Seams> = {
  'the offset log is not synced': () => ({
    disk: (disk) => withoutSyncs(disk, /offsets$/, () => true),
  }),
  'the commit log is not synced': () => ({
    disk: (disk) => withoutSyncs(disk, /commits$/, () => true),
  }),
  'a start does not sync what it has read': () => ({
    disk: (disk) => withoutSyncs(disk, /offsets$/, (syncs) => syncs === 1),
  }),
  'the directory of the job is not synced': () => ({
    disk: (disk) =>
      replaced(disk, {
        syncDirectory: async (path) => (path === '/' ? undefined : await disk.syncDirectory(path)),
      }),
  }),
  'a batch is committed before it has run': () => ({
    commitLog: (log) =>
      replaced(log, {
        commit: async (batchId, counted) =>
          batchId > log.latest() ? await log.commit(batchId, counted) : undefined,
      }),
    async batch(batch, { commitLog }) {
      await commitLog.commit(batch.batchId)
      return batch
    },
  }),
  'a commit is not waited for': () => ({
    commitLog: (log) =>
      replaced(log, {
        async commit(batchId, counted) {
          void later(50)
            .then(() => log.commit(batchId, counted))
            .catch(() => {})
        },
      }),
  }),
  'a batch is planned in memory only': () => ({
    offsetLog: (log) => plannedInMemory(log),
    commitLog: (log) => replaced(log, { latest: () => log.latest() }),
  }),
  'a batch that was planned counts as committed': () => {
    let planned = -1
    return {
      offsetLog(log) {
        planned = log.latest()?.batchId ?? -1
        return log
      },
      commitLog: (log) => replaced(log, { latest: () => Math.max(log.latest(), planned) }),
    }
  },
  'offsets are forgotten while a window reads them': () => ({
    offsetLog(log) {
      void log.prune(log.latest()?.batchId ?? 0)
      return log
    },
  }),
  'a batch that runs again has the time of now': (world) => ({
    batch: (batch) => {
      const timeMs = world.clock.nowMs() - (world.clock.nowMs() % 1000)
      return { ...batch, timeMs: Math.max(batch.timeMs, timeMs) }
    },
  }),
  'a batch that runs again reads to the end of the log': (world) => {
    const begun = new Set<number>()
    return {
      batch(batch) {
        if (!begun.has(batch.batchId)) {
          begun.add(batch.batchId)
          return batch
        }
        const ranges = batch.ranges.map((range) => ({
          ...range,
          until: world.topics.end(range.topic, range.partition),
        }))
        return { ...batch, ranges }
      },
    }
  },
  'a range that is read again lacks its last record': () => {
    const read = new Set<string>()
    return {
      scanner: (scanner: Scanner): Scanner =>
        replaced(scanner, {
          scan(scan, sink, options) {
            const { range } = scan
            const key = JSON.stringify(range)
            const isShort = read.has(key) && range.until > range.from
            read.add(key)
            return scanner.scan(
              isShort ? { ...scan, range: { ...range, until: range.until - 1 } } : scan,
              sink,
              options,
            )
          },
        }),
    }
  },
  'a batch that runs again keeps the state of its first run': () => ({
    stateStore: (store) =>
      replaced(store, { begin: (batchId) => store.begin(Math.max(batchId, store.version + 1)) }),
  }),
  'a state is written in two steps': () => ({
    stateDatabase: (database) =>
      replaced(database, {
        async write(changes) {
          const half = Math.ceil(changes.length / 2)
          // The version is written first: after a crash between the two writes, the rest is never
          // written.
          const reversed = changes.toReversed()
          await database.write(reversed.slice(0, half))
          await database.write(reversed.slice(half))
        },
      }),
  }),
  'a state is acknowledged before it is written': () => ({
    stateDatabase: (database) =>
      replaced(database, {
        async write(changes) {
          void later(200).then(() => database.write(changes))
        },
      }),
  }),
  'an executor that is replaced finds no state': () => {
    const owners = new Map<string, TestProcess>()
    return {
      stateDatabase(database, path, process) {
        const before = owners.get(path)
        owners.set(path, process)
        return before === undefined || before === process ? database : emptied(database)
      },
    }
  },
  'the write of a dead executor comes late': () => lateWrites(),
  'the watermark of a batch is that of its own rows': (world) => ({
    batch: (batch) => ({ ...batch, watermarks: watermarksOf(world, batch.ranges) }),
  }),
  'a start forgets the event times': () => ({
    commitLog(log) {
      const atStart = log.latest()
      return replaced(log, {
        latestCommit() {
          const commit = log.latestCommit()
          if (commit === undefined || log.latest() !== atStart) return commit
          return { ...commit, eventTimes: {} }
        },
      })
    },
  }),
  'a roll-back restores no timers': () => ({
    stateDatabase: (database) =>
      rollingBack(database, ({ type, key }) => type === 'del' || !isTimer(key)),
  }),
  'a roll-back leaves new keys': () => ({
    stateDatabase: (database) =>
      rollingBack(database, ({ type, key }) => type === 'put' || key[0]! > 3),
  }),
  'the output of a task that ran twice counts twice': () => ({
    executor: (start) => wrapReports(start, doubled()),
  }),
  'a task that runs again lacks a shuffle block': () => ({
    executor: (start) => wrapTasks(start, withoutFirstBlock()),
  }),
  'a shuffle block of another partition is taken': () => ({
    executor: (start) => wrapTasks(start, ofOtherPartition()),
  }),
}

/**
 * Wraps an object and replaces some of its methods. The other methods keep the original as `this`,
 * which private fields require.
 */
export function replaced<T extends object>(original: T, methods: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      if (Object.hasOwn(methods, name)) return methods[name as keyof T]
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Waits for a number of microtask turns, which the engine does not control. */
async function later(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

/** Leaves out syncs. `isLeftOut` gets the number of the sync, from 1, since the file was opened. */
function withoutSyncs(disk: Disk, path: RegExp, isLeftOut: (syncs: number) => boolean): Disk {
  return replaced(disk, {
    async open(name, mode) {
      const file: DiskFile = await disk.open(name, mode)
      if (!path.test(name)) return file
      const size = (await file.stat()).sizeBytes
      let syncs = size > 0 ? 0 : 1
      return replaced(file, {
        sync: async () => (isLeftOut(++syncs) ? undefined : await file.sync()),
      })
    },
  })
}

/** Delays each entry: it is written to the file only when the next entry is appended. */
function plannedInMemory(log: OffsetLog): OffsetLog {
  let held: Parameters<OffsetLog['append']>[0] | undefined
  return replaced(log, {
    latest: () => held ?? log.latest(),
    get: (batchId) => (held?.batchId === batchId ? held : log.get(batchId)),
    async append(entry) {
      if (held) await log.append(held)
      held = entry
    },
    prune: async () => {},
  })
}

function emptied(database: StateDatabase): StateDatabase {
  const written = new Set<string>()
  const textOf = (key: Uint8Array) => Buffer.from(key).toString('latin1')
  return replaced(database, {
    async getMany(keys) {
      const values = await database.getMany(keys)
      return values.map((value, at) => (written.has(textOf(keys[at]!)) ? value : undefined))
    },
    async *entries(range, atOnce) {
      for await (const group of database.entries(range, atOnce)) {
        yield group.filter(([key]) => written.has(textOf(key)))
      }
    },
    async write(changes) {
      for (const { key } of changes) written.add(textOf(key))
      await database.write(changes)
    },
  })
}

/** Returns the watermarks of a faulty planner that uses the records of the batch itself. */
function watermarksOf(world: TestWorld, ranges: readonly OffsetRange[]): Record<string, number> {
  const times = ranges
    .filter(({ topic }) => topic === 'lines')
    .map(({ topic, partition, until }) => {
      const words = world.topics
        .records(topic, partition, 0, until)
        .flatMap(({ value }) => String(value).split(','))
      return Math.max(-Infinity, ...words.map((word) => Number(word.split(' ')[2])))
    })
  const least = Math.min(...times)
  return least === -Infinity ? {} : { events: least - 1500 }
}

type StateChange = Parameters<StateDatabase['write']>[0][number]

/** Limits the writes that roll a batch back to the changes for which `isKept` returns true. */
function rollingBack(
  database: StateDatabase,
  isKept: (change: StateChange) => boolean,
): StateDatabase {
  return replaced(database, {
    write(changes) {
      const isCommit = changes.some(({ type, key }) => type === 'put' && key[0] === 0x21)
      return database.write(isCommit ? changes : changes.filter(isKept))
    },
  })
}

function isTimer(key: Uint8Array): boolean {
  return key[0] === 0x10 || key[0] === 0x11
}

/** Delays the last write of a dead executor until its successor has written the next batch. */
function lateWrites(): Seams {
  const waiting = new Map<
    string,
    { changes: Parameters<StateDatabase['write']>[0]; writes: number }
  >()
  return {
    stateDatabase: (database, path, process) =>
      replaced(database, {
        async write(changes) {
          await later(3)
          if (process.isDead) {
            waiting.set(path, { changes, writes: 2 })
            return
          }
          await database.write(changes)
          const late = waiting.get(path)
          if (late === undefined || --late.writes > 0) return
          waiting.delete(path)
          await database.write(late.changes)
        },
      }),
  }
}

function wrapReports(
  start: StartExecutor,
  change: (task: Task, report: TaskReport) => TaskReport,
): StartExecutor {
  return async (slot, listener) => {
    const tasks = new Map<number, Task>()
    const executor = await start(slot, {
      ...listener,
      onLost: (error) => listener.onLost(error),
      onReport: (report) => listener.onReport(change(tasks.get(report.taskId)!, report)),
    })
    return replaced(executor, {
      run(given) {
        for (const task of given) tasks.set(task.taskId, task)
        executor.run(given)
      },
    })
  }
}

function wrapTasks(start: StartExecutor, change: (task: Task) => Task): StartExecutor {
  return async (slot, listener) => {
    const executor = await start(slot, listener)
    return replaced(executor, { run: (tasks) => executor.run(tasks.map(change)) })
  }
}

function doubled() {
  const outputs = new Map<number, readonly Bucket[]>()
  return ({ taskId, work }: Task, report: TaskReport): TaskReport => {
    if (work.kind !== 'map' || report.outcome.kind !== 'finished') return report
    const buckets = report.outcome.value as readonly Bucket[]
    const before = outputs.get(taskId)
    outputs.set(taskId, buckets)
    if (before === undefined) return report
    const value = buckets.map(({ keys, values }, at) => ({
      keys: [...before[at]!.keys, ...keys],
      values: [...before[at]!.values, ...values],
    }))
    return { ...report, outcome: { kind: 'finished', value } }
  }
}

function withoutFirstBlock() {
  const seen = new Set<string>()
  return (task: Task): Task => {
    const key = JSON.stringify([task.batchId, task.work, task.partition])
    const isAgain = seen.has(key)
    seen.add(key)
    if (!isAgain) return task
    const inputs = new Map(
      [...task.inputs].map(([id, blocks]) => [
        id,
        blocks.map((block, at) => (at === 0 ? { keys: [], values: [] } : block)),
      ]),
    )
    return { ...task, inputs }
  }
}

function ofOtherPartition() {
  const newest = new Map<string, readonly Bucket[]>()
  return (task: Task): Task => {
    const inputs = new Map(
      [...task.inputs].map(([id, blocks]) => {
        const place = id.slice(0, id.lastIndexOf('/'))
        const other = newest.get(place) ?? blocks
        newest.set(place, blocks)
        return [id, other]
      }),
    )
    return { ...task, inputs }
  }
}
