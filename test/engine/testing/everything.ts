// A job with an operator of each kind, and its expected results, computed by plain code in one
// thread from only the records and the ranges of its batches. Shares no code with the engine.

import { add, job, seconds, subtract, sum, text } from '../../../engine/engine.ts'
import type { ViewRows } from '../../../engine/lifecycle/jobStatus.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import type { Outcome, Subject } from '../../../engine/testing/historyRun.ts'
import { type PlacedRecord, RecordPlacement } from '../../../engine/testing/memoryTopics.ts'
import type { TestContext } from '../../../engine/testing/testing.ts'

export const jobPartitions = 2
const delayMs = 1500
const windowMs = 2000
const timeoutMs = 3000
const topics = new Map([
  ['lines', 2],
  ['names', 1],
])

export function everything({ sink, sinkNamed }: TestContext) {
  return job('everything', { partitions: jobPartitions }, (stream) => {
    const pairs = stream
      .fromTopic('lines', text())
      .flatMap(({ line }) => line.split(','))
      .map((word) => {
        const [key, number] = word.split(' ')
        return [key!, Number(number)] as const
      })
      .filter(([, number]) => number > 0)
    const names = stream
      .fromTopic('names', text())
      .map(({ line }) => [line.slice(0, 1), line.length] as const)
    const counts = pairs.reduceByKey<string, number>(sum)
    counts.view('batch')
    pairs.updateStateByKey(add, { uid: 'totals' }).view('totals')
    pairs.groupByKey().mapValues(hash).view('grouped')
    counts
      .join(names.reduceByKey<string, number>(sum))
      .mapValues(([one, other]) => one * 100 + other)
      .view('joined')
    counts.union(names).count().view('count')
    pairs.reduceByKeyAndWindow<string, number>(sum, seconds(3)).view('direct')
    pairs
      .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
        inverse: subtract,
        filter: (each) => each > 0,
        uid: 'recent',
      })
      .view('inverse')
    const events = stream
      .fromTopic('lines', text())
      .flatMap(({ line }) => line.split(','))
      .map((word) => word.split(' '))
      .withWatermark(([, , timeMs]) => Number(timeMs), {
        delayMs,
        idleTimeoutMs: 1e9,
        uid: 'events',
      })
      .filter(([, number]) => Number(number) > 0)
      .map(([key, number]) => ({ key: key!, number: Number(number) }))
      .keyBy(({ key }) => key)
    const windows = events.tumbling(windowMs).aggregate(
      {
        create: () => 0,
        add: (all, { number }) => all + number,
        merge: (one, other) => one + other,
      },
      { uid: 'windows' },
    )
    const mapped = counts.mapWithState<string, number, number, string>(
      (key, value, state) => {
        if (value === undefined) return `${key} over ${state.get()}`
        state.update((state.get() ?? 0) + value)
        return `${key} ${state.get()}`
      },
      { uid: 'mapped', timeoutMs },
    )
    const written = [
      ['windows', windows.map(({ key, startMs, value }) => `${key} ${startMs} ${value}`)],
      ['late', windows.late.map(({ key, timeMs, row }) => `${key} ${timeMs} ${row.number}`)],
      ['mapped', mapped],
    ] as const
    for (const [name, results] of written) {
      const to = sinkNamed(name)
      results.foreachRDD(async (rdd, { batchId }) => {
        const all = await rdd.collect()
        await to.transaction(batchId, (tx) =>
          all.forEach((result) => {
            tx.append(`${batchId}: ${result}`)
          }),
        )
      })
    }
    counts.foreachRDD(async (rdd, { batchId }) => {
      const partitions = await rdd
        .mapPartitions((elements, partition) => [[partition, elements] as const])
        .collect()
      for (const [partition, elements] of partitions) {
        await sink.transaction(`${batchId}/${partition}`, (tx) => {
          tx.append({ batchId, partition, elements })
        })
      }
    })
  })
}

/** Depends on the order of the values: the engine promises the order of the partitions. */
function hash(values: readonly number[]): number {
  return values.reduce((all, each) => (all * 31 + each) % 9973, 7)
}

export function everythingOver(records: number): Subject {
  const placement = new RecordPlacement((topic) => topics.get(topic)!)
  const placed: PlacedRecord[] = []
  for (let at = 0; at < records; at++) {
    // Times advance by 400 ms a record; every fifth record has an earlier time, and some of these
    // are late.
    const timeMs = at * 400 - (at % 5 === 4 ? 1400 + (at % 3) * 900 : 0)
    const word = (of: number) => `${'abcdef'[(of * 7) % 6]} ${((of * 13) % 10) - 1} ${timeMs}`
    placed.push(placement.place('lines', `${word(at)},${word(at + 3)}`, 0))
    if (at % 3 === 0)
      placed.push(placement.place('names', `${'abc'[at % 3]}${'x'.repeat(at % 4)}`, 0))
  }
  return {
    build: everything,
    records: placed,
    topics,
    batchIntervalMs: 1000,
    executors: 2,
    startMs: Date.UTC(2026, 0, 1),
    drainIntervals: 2,
    keepsBlockOrder: true,
    goesOnWhileDown: true,
  }
}

/** A batch as in its last start. */
export interface BegunBatch {
  readonly batchId: number
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
}

/** Returns the first error in an outcome, or undefined. */
export function wrongWith(
  { records }: Subject,
  outcome: Outcome,
  begun: readonly BegunBatch[],
): string | undefined {
  if (outcome.failure !== undefined) return `the job failed: ${outcome.failure}`
  return (
    wrongRanges(records, begun) ??
    wrongViews(records, outcome, begun) ??
    wrongState(records, outcome) ??
    wrongSink(records, outcome, begun) ??
    wrongEvents(records, outcome, begun)
  )
}

/** Property P4. */
function wrongRanges(
  records: readonly PlacedRecord[],
  begun: readonly BegunBatch[],
): string | undefined {
  const ends = new Map<string, number>()
  for (const [at, { batchId, ranges }] of begun.entries()) {
    if (batchId !== at) return `batch ${batchId} is begun where batch ${at} should be`
    for (const { topic, partition, from, until } of ranges) {
      const before = ends.get(`${topic}-${partition}`) ?? 0
      if (from !== before || until < from)
        return `batch ${batchId} reads ${topic}-${partition} [${from}, ${until}) after ${before}`
      ends.set(`${topic}-${partition}`, until)
    }
  }
  for (const [topic, count] of topics) {
    for (let partition = 0; partition < count; partition++) {
      const { length } = logOf(records, topic, partition)
      if (ends.get(`${topic}-${partition}`) !== length)
        return `${topic}-${partition} is not read to its end`
    }
  }
  return undefined
}

/** Properties P1 and P5, checked batch by batch. */
function wrongViews(
  records: readonly PlacedRecord[],
  { batches }: Outcome,
  begun: readonly BegunBatch[],
): string | undefined {
  const known = new Map<string, ViewRows>()
  for (const { batchId, views, timeMs } of batches) {
    const batch = begun[batchId]
    if (batch?.timeMs !== timeMs)
      return `batch ${batchId} is committed with the time ${timeMs} and begun with ${batch?.timeMs}`
    const pairs = pairsOf(records, batch.ranges)
    const names = valuesOf(records, batch.ranges, 'names').map((line): [string, number] => [
      line[0]!,
      line.length,
    ])
    const recent = begun.filter((each) => each.timeMs <= timeMs && each.timeMs > timeMs - 3000)
    const window = summed(recent.flatMap(({ ranges }) => pairsOf(records, ranges)))
    const counts = summed(pairs)
    const named = summed(names)
    const earlier = begun.slice(0, batchId + 1).flatMap(({ ranges }) => pairsOf(records, ranges))
    const grouped = Map.groupBy(pairs, ([key]) => key)
    const joined = [...counts]
      .filter(([key]) => named.has(key))
      .map(([key, count]): [string, number] => [key, count * 100 + named.get(key)!])
    const expected: Record<string, Iterable<[string, number]>> = {
      batch: counts,
      totals: summed(earlier),
      grouped: [...grouped].map(([key, values]): [string, number] => [
        key,
        hash(values.map(([, number]) => number)),
      ]),
      joined,
      count: [['count', counts.size + names.length]],
      direct: window,
      inverse: window,
    }
    for (const [name, rows] of Object.entries(expected)) {
      const wanted = JSON.stringify([...rows].sort())
      // A view whose state has not changed is not collected again; its last rows still apply.
      const got = JSON.stringify((views.get(name) ?? known.get(name))?.toSorted())
      known.set(name, views.get(name) ?? known.get(name) ?? [])
      if (wanted !== got)
        return `view '${name}' after batch ${batchId}: ${got} in place of ${wanted}`
    }
  }
  return undefined
}

/** Property P6. */
function wrongState(records: readonly PlacedRecord[], { states }: Outcome): string | undefined {
  const all = records
    .filter(({ topic }) => topic === 'lines')
    .flatMap(({ record }) => words(String(record.value)))
  const wanted = JSON.stringify([...summed(all)].sort())
  const got = JSON.stringify(states.get('totals'))
  return wanted === got ? undefined : `state 'totals': ${got} in place of ${wanted}`
}

/** Property P2: a reader of committed output sees each partition of each batch once. */
function wrongSink(
  records: readonly PlacedRecord[],
  { sinks }: Outcome,
  begun: readonly BegunBatch[],
): string | undefined {
  const seen = new Map<number, Map<number, readonly (readonly [string, number])[]>>()
  for (const value of sinks.get('sink')?.list ?? []) {
    const { batchId, partition, elements } = value as {
      batchId: number
      partition: number
      elements: [string, number][]
    }
    const partitions = seen.get(batchId) ?? new Map()
    if (partitions.has(partition)) return `partition ${partition} of batch ${batchId} is seen twice`
    seen.set(batchId, partitions.set(partition, elements))
  }
  for (const { batchId, ranges } of begun) {
    const partitions = seen.get(batchId)
    if (partitions?.size !== jobPartitions)
      return `of batch ${batchId} ${partitions?.size ?? 0} partitions are seen`
    const wanted = JSON.stringify([...summed(pairsOf(records, ranges))].sort())
    const got = JSON.stringify([...partitions.values()].flat().sort())
    if (wanted !== got) return `the sink has ${got} of batch ${batchId} in place of ${wanted}`
  }
  return undefined
}

/** Windows of event time, late rows and timeouts must be in the batches to which they belong. */
function wrongEvents(
  records: readonly PlacedRecord[],
  { sinks }: Outcome,
  begun: readonly BegunBatch[],
): string | undefined {
  const expected = { windows: [] as string[], late: [] as string[], mapped: [] as string[] }
  const seen = new Map<number, number>()
  const open = new Map<string, number>()
  const kept = new Map<string, { total: number; touchedMs: number }>()
  for (const { batchId, timeMs, ranges } of begun) {
    const times = Array.from({ length: topics.get('lines')! }, (_, at) => seen.get(at) ?? -Infinity)
    const watermark = Math.min(...times) - delayMs
    for (const range of ranges.filter(({ topic }) => topic === 'lines')) {
      for (const word of valuesOf(records, [range], 'lines').flatMap((line) => line.split(','))) {
        const [key, number, time] = word.split(' ')
        seen.set(range.partition, Math.max(seen.get(range.partition) ?? -Infinity, Number(time)))
        if (Number(number) <= 0) continue
        const startMs = Math.floor(Number(time) / windowMs) * windowMs
        const window = `${key} ${startMs}`
        const isLate = startMs + windowMs <= watermark
        if (isLate) expected.late.push(`${batchId}: ${key} ${time} ${number}`)
        else open.set(window, (open.get(window) ?? 0) + Number(number))
      }
    }
    for (const [window, value] of open) {
      if (Number(window.split(' ')[1]) + windowMs > watermark) continue
      open.delete(window)
      expected.windows.push(`${batchId}: ${window} ${value}`)
    }
    for (const [key, { total, touchedMs }] of kept) {
      if (touchedMs + timeoutMs > timeMs) continue
      kept.delete(key)
      expected.mapped.push(`${batchId}: ${key} over ${total}`)
    }
    for (const [key, value] of summed(pairsOf(records, ranges))) {
      const total = (kept.get(key)?.total ?? 0) + value
      kept.set(key, { total, touchedMs: timeMs })
      expected.mapped.push(`${batchId}: ${key} ${total}`)
    }
  }
  for (const [name, list] of Object.entries(expected)) {
    const wanted = JSON.stringify(list.sort())
    const got = JSON.stringify([...(sinks.get(name)?.list ?? [])].sort())
    if (wanted !== got) return `sink '${name}': ${got} in place of ${wanted}`
  }
  return undefined
}

function pairsOf(
  records: readonly PlacedRecord[],
  ranges: readonly OffsetRange[],
): [string, number][] {
  return valuesOf(records, ranges, 'lines').flatMap(words)
}

function words(line: string): [string, number][] {
  return line
    .split(',')
    .map((word): [string, number] => [word.split(' ')[0]!, Number(word.split(' ')[1])])
    .filter(([, number]) => number > 0)
}

function valuesOf(
  records: readonly PlacedRecord[],
  ranges: readonly OffsetRange[],
  topic: string,
): string[] {
  return ranges
    .filter((range) => range.topic === topic)
    .flatMap(({ partition, from, until }) => logOf(records, topic, partition).slice(from, until))
}

/** Returns the records of a partition in order, which is the same in every history. */
function logOf(records: readonly PlacedRecord[], topic: string, partition: number): string[] {
  let logs = logsOf.get(records)
  if (!logs) {
    const place = (record: { topic: string; partition: number }) =>
      `${record.topic}-${record.partition}`
    const grouped = Map.groupBy(records, place)
    const values = [...grouped].map(([key, all]): [string, string[]] => {
      return [key, all.map(({ record }) => String(record.value))]
    })
    logs = new Map(values)
    logsOf.set(records, logs)
  }
  return logs.get(`${topic}-${partition}`) ?? []
}

const logsOf = new WeakMap<readonly PlacedRecord[], ReadonlyMap<string, string[]>>()

function summed(pairs: readonly (readonly [string, number])[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [key, number] of pairs) sums.set(key, (sums.get(key) ?? 0) + number)
  return sums
}
