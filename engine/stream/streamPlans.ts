// Plans of the stateless operators: the RDD of a stream in a batch, computed from its parents' RDDs
// in this batch or, for windows, in earlier ones. A parent without an RDD leaves its child without
// one.

import { EngineError } from '../engineError.ts'
import type { Key } from '../keys/key.ts'
import type { Pair } from '../rdd/lineage.ts'
import { union as unionOfRdds } from '../rdd/narrow.ts'
import { Rdd } from '../rdd/rdd.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import type { OnRecordError } from '../sources/scan.ts'
import type { BatchInfo } from './batchHistory.ts'
import type { Stream, StreamBatch, StreamPlan } from './streamPlan.ts'
import { batchesIn, isDue, requireWindow } from './windows/window.ts'

/** The rows of a topic, with a partition for each offset range of the batch. */
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

/** Computes one RDD from another, in the same batch. */
export function perBatch<T, U>(
  name: string,
  parent: Stream<T>,
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

/** Like `perBatch`, for transformations that keep partitions. */
export function narrow<T, U>(
  name: string,
  parent: Stream<T>,
  transform: (rdd: Rdd<T>, batch: BatchInfo) => Rdd<U>,
): StreamPlan<U> {
  return perBatch(name, parent, transform, true)
}

export function union<T>(parents: readonly Stream<T>[]): StreamPlan<T> {
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
  left: Stream<Pair<K, V>>,
  right: Stream<Pair<K, W>>,
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

/** Streams with different slides rarely meet: elements in between would be dropped silently. */
function requireSameSlide(operator: string, parents: readonly Stream<unknown>[]): void {
  const slides = new Set(parents.map(({ slideMs }) => slideMs))
  if (slides.size === 1) return
  let longest = 0
  for (const slideMs of slides) longest = Math.max(longest, slideMs)
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${operator} needs streams with equal slides, but these slide by ${[...slides].join(' and ')} ms; ` +
      `add window(${longest}, ${longest}) to those that slide faster`,
  )
}

export function countOf(rdd: Rdd<unknown>): Rdd<number> {
  return rdd
    .map(() => [null, 1] as const)
    .reduceByKey<null, number>((left, right) => left + right, 1)
    .mapPartitions((counts) => [counts[0]?.[1] ?? 0])
}

export function window<T>(parent: Stream<T>, windowMs: number, slideMs: number): StreamPlan<T> {
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

/** The input of a stateful operator: the values of each key in a batch, in order of arrival. */
export function groupedBy<K extends Key, V>(parent: Stream<Pair<K, V>>) {
  return ({ rddOf, context }: StreamBatch): Rdd<Pair<K, readonly V[]>> | undefined =>
    rddOf(parent)?.groupByKey(context.defaultPartitions)
}

/** Like `groupedBy`, for an operator that receives one value per key. */
export function reducedBy<K extends Key, V>(
  parent: Stream<Pair<K, V>>,
  reduce: (left: V, right: V) => V,
) {
  return ({ rddOf, context }: StreamBatch): Rdd<Pair<K, V>> | undefined =>
    rddOf(parent)?.reduceByKey(reduce, context.defaultPartitions)
}

/** Whether a stream that slides by `slideMs` has an RDD in this batch. */
export function isDueIn({ batch, history }: StreamBatch, slideMs: number): boolean {
  return isDue(batch, history.before(batch.batchId), slideMs)
}
