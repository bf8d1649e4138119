// The operators of streams, as plans: which RDD a stream has in a batch, made from its parents' RDDs
// in this batch or, for windows, in earlier ones. A parent without an RDD leaves its child without.

import { EngineError } from '../engineError.ts'
import type { Key } from '../rdd/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import { union as unionOfRdds } from '../rdd/narrow.ts'
import { Rdd } from '../rdd/rdd.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import type { OnRecordError } from '../sources/scan.ts'
import type { BatchInfo } from './batchHistory.ts'
import type { DStream, StreamBatch, StreamPlan } from './dstream.ts'
import { batchesIn, isDue, requireWindow } from './window.ts'

/** The rows of a topic: a partition for each offset range of the batch. */
export function topicRows<Row>(
  topic: string,
  format: RowFormat<Row>,
  slideMs: number,
  onError: OnRecordError = 'fail',
): StreamPlan<Row> {
  const policy = onError === 'fail' ? '' : ` ${JSON.stringify(onError)}`
  return {
    name: 'topic',
    detail: `${topic} ${format.describe()}${policy}`,
    topic,
    parents: [],
    slideMs,
    rdd({ batch, context }) {
      const ranges = batch.ranges.filter((range) => range.topic === topic)
      return new Rdd<Row>(context, {
        name: 'topic',
        partitionCount: ranges.length,
        dependencies: [],
        compute: (at, task, sink) =>
          task.scan({ range: ranges[at]!, format, onError }, sink as (row: unknown) => void),
        rejects: onError !== 'fail',
        affinity: (at) => ({ kind: 'source', slot: ranges[at]!.partition }),
        range: (at) => ranges[at],
      })
    },
  }
}

/** What makes one RDD of another, in the same batch. */
export function perBatch<T, U>(
  name: string,
  parent: DStream<T>,
  transform: (rdd: Rdd<T>, batch: BatchInfo) => Rdd<U>,
  isNarrow = false,
): StreamPlan<U> {
  return {
    name,
    parents: [parent],
    slideMs: parent.slideMs,
    isNarrow,
    rdd({ batch, rddOf }) {
      const rdd = rddOf(parent)
      return rdd && transform(rdd, batch)
    },
  }
}

/** The same where partitions stay what they are. */
export function narrow<T, U>(
  name: string,
  parent: DStream<T>,
  transform: (rdd: Rdd<T>, batch: BatchInfo) => Rdd<U>,
): StreamPlan<U> {
  return perBatch(name, parent, transform, true)
}

export function union<T>(parents: readonly DStream<T>[]): StreamPlan<T> {
  requireSameSlide('union', parents)
  return {
    name: 'union',
    parents,
    slideMs: parents[0]!.slideMs,
    isNarrow: true,
    rdd({ rddOf, context }) {
      const rdds = parents.map((parent) => rddOf(parent)).filter((rdd) => rdd !== undefined)
      return rdds.length === 0 ? undefined : new Rdd(context, unionOfRdds<T>(rdds))
    },
  }
}

export function join<K extends Key, V, W>(
  left: DStream<Pair<K, V>>,
  right: DStream<Pair<K, W>>,
): StreamPlan<Pair<K, readonly [V, W]>> {
  requireSameSlide('join', [left, right])
  return {
    name: 'join',
    parents: [left, right],
    slideMs: left.slideMs,
    rdd({ rddOf }) {
      const one = rddOf(left)
      const other = rddOf(right)
      return one && other && one.join(other)
    },
  }
}

/** Streams of different slides meet only now and then: elements between would be left out in silence. */
function requireSameSlide(operator: string, parents: readonly DStream<unknown>[]): void {
  const slides = new Set(parents.map(({ slideMs }) => slideMs))
  if (slides.size === 1) return
  let longest = 0
  for (const slideMs of slides) longest = Math.max(longest, slideMs)
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${operator} takes streams that slide alike, and these slide by ${[...slides].join(' and ')} ms: ` +
      `give those that slide faster a window(${longest}, ${longest}) first`,
  )
}

export function countOf(rdd: Rdd<unknown>): Rdd<number> {
  return rdd
    .map(() => [null, 1] as const)
    .reduceByKey<null, number>((left, right) => left + right, 1)
    .mapPartitions((counts) => [counts[0]?.[1] ?? 0])
}

export function window<T>(parent: DStream<T>, windowMs: number, slideMs: number): StreamPlan<T> {
  requireWindow(windowMs, slideMs, parent.slideMs)
  return {
    name: 'window',
    detail: `${windowMs} ${slideMs}`,
    parents: [parent],
    slideMs,
    rememberMs: windowMs,
    rdd(at) {
      if (!isDueIn(at, slideMs)) return undefined
      const rdds = batchesIn(at.history, at.batch, windowMs)
        .map(({ batchId }) => at.rddOf(parent, batchId))
        .filter((rdd) => rdd !== undefined)
      return new Rdd(at.context, unionOfRdds<T>(rdds))
    },
  }
}

/** What a stateful operator is handed: the values of each key in a batch, in the order of their arrival. */
export function groupedBy<K extends Key, V>(parent: DStream<Pair<K, V>>) {
  return ({ rddOf, context }: StreamBatch): Rdd<Pair<K, readonly V[]>> | undefined =>
    rddOf(parent)?.groupByKey(context.defaultPartitions)
}

/** The same for an operator that takes one value of each key. */
export function reducedBy<K extends Key, V>(
  parent: DStream<Pair<K, V>>,
  reduce: (left: V, right: V) => V,
) {
  return ({ rddOf, context }: StreamBatch): Rdd<Pair<K, V>> | undefined =>
    rddOf(parent)?.reduceByKey(reduce, context.defaultPartitions)
}

/** Whether a stream that slides by `slideMs` has an RDD in this batch. */
export function isDueIn({ batch, history }: StreamBatch, slideMs: number): boolean {
  return isDue(batch, history.before(batch.batchId), slideMs)
}
