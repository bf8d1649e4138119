// The streams of a job and their RDDs, batch by batch. RDDs are created on demand, once, and
// dropped when no window can reach their batch any more. Contract: the id of an RDD is made of
// batch, stream and position within the stream, so it is the same wherever the graph is built, in
// whatever order.

import { assert } from '../../protocol/runtime/assert.ts'
import type { StatefulOperator, WatermarkSpec } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { byKeyGroups } from '../keys/partitioner.ts'
import type { Action } from '../rdd/action.ts'
import type { Lineage, ShuffleDependency } from '../rdd/lineage.ts'
import { type RddPlan, shared } from '../rdd/narrow.ts'
import { Rdd, type RddContext } from '../rdd/rdd.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import {
  joinSources,
  requireOtherDeadLetters,
  sourceOf,
  type TopicOptions,
  type TopicSource,
} from '../sources/topicOptions.ts'
import { failedIn } from '../userCode.ts'
import { BatchHistory, type BatchInfo } from './batchHistory.ts'
import { batchIsOver, batchOfRdd, DriverRdds } from './driverRdds.ts'
import { DStream } from './dstream.ts'
import type { Job, JobStream } from './job.ts'
import type { Output, Stream, StreamBuilder } from './streamPlan.ts'
import { topicRows } from './streamPlans.ts'

export interface StreamGraphOptions {
  readonly batchIntervalMs: number
  /** Runs the actions of foreachRDD; only set in the driver. */
  readonly run?: (
    rdd: Lineage<unknown>,
    action: Action,
    partitions: readonly number[],
  ) => Promise<unknown[]>
}

/** The stream for which RDDs are being created. */
interface Making {
  readonly batchId: number
  readonly streamId: number
  made: number
}

interface BatchRdds {
  readonly ofStream: Map<number, Rdd<unknown> | undefined>
  readonly shuffles: Map<string, ShuffleDependency>
  /** RDDs that foreachRDD creates in the driver; created lazily. */
  driver?: DriverRdds
}

/** An operator whose state a batch advances. */
export interface Advancing {
  readonly uid: string
  /** Id of the operator's stream. */
  readonly streamId: number
  readonly rdd: Lineage<unknown>
}

export class StreamGraph {
  readonly name: string
  readonly batchIntervalMs: number
  readonly history = new BatchHistory()
  readonly outputs: readonly Output[]
  /** Sorted, without duplicates. */
  readonly topics: readonly string[]
  /** Options of the topics, by topic. */
  readonly sources: ReadonlyMap<string, TopicSource>
  /** Operators of the stateful streams, in order of construction. */
  readonly operators: readonly StatefulOperator[]
  readonly watermarks: readonly WatermarkSpec[]
  /** How far back the longest chain of windows reaches, in ms. */
  readonly rememberMs: number
  readonly #partitions: number
  readonly #streams: readonly Stream<unknown>[]
  readonly #context: RddContext
  readonly #batches = new Map<number, BatchRdds>()
  /** Number of streams and outputs that read each stream. */
  readonly #readers = new Map<Stream<unknown>, number>()
  #making: Making | undefined

  constructor(job: Job, options: StreamGraphOptions) {
    this.name = job.name
    this.batchIntervalMs = options.batchIntervalMs
    this.#partitions = job.partitions
    const built = buildStreams(job, options.batchIntervalMs)
    this.outputs = built.outputs
    this.topics = [...built.sources.keys()].sort()
    this.sources = built.sources
    this.#streams = built.streams
    this.operators = built.streams.flatMap(({ plan }) => plan.operator ?? [])
    this.watermarks = built.streams.flatMap(({ plan }) => plan.watermark ?? [])
    this.rememberMs = Math.max(rememberedBy(built.streams), options.batchIntervalMs)
    this.#countReaders()
    this.#context = this.#createContext(options)
  }

  /** Everything that must be equal in driver and executors, as text. */
  describe(): string {
    const streams = this.#streams.map(({ id, plan }) => {
      const parents = plan.parents.map((parent) => parent.id).join(',')
      return `${id} ${plan.name}(${parents}) ${plan.detail ?? ''}`
    })
    const outputs = this.outputs.map((output) => `${output.kind} ${output.stream.id}`)
    const head = `${this.name} ${this.#partitions} ${this.batchIntervalMs}`
    return [head, ...streams, ...outputs].join('\n')
  }

  /** Adds a batch. RDDs of it and of later batches, from an earlier attempt, are dropped. */
  addBatch(batch: BatchInfo): void {
    for (const batchId of [...this.#batches.keys()]) {
      if (batchId >= batch.batchId) this.#batches.delete(batchId)
    }
    this.history.add(batch)
    const oldest = this.history.prune(this.rememberMs)
    for (const batchId of [...this.#batches.keys()]) {
      if (batchId < oldest) this.#batches.delete(batchId)
    }
  }

  /** Returns the RDD of a stream in a known batch; undefined when it has none there. */
  rdd<T>(stream: Stream<T>, batchId: number): Rdd<T> | undefined {
    const { ofStream } = this.#batch(batchId)
    if (!ofStream.has(stream.id)) {
      for (const each of unmade(stream, ofStream)) ofStream.set(each.id, this.#make(each, batchId))
    }
    return ofStream.get(stream.id) as Rdd<T> | undefined
  }

  /** Returns the RDD of an output's stream. */
  rddOfStream(streamId: number, batchId: number): Rdd<unknown> | undefined {
    const stream = this.#streams[streamId]
    assert(stream, `stream ${streamId} does not exist`)
    return this.rdd(stream, batchId)
  }

  /**
   * Returns the operators with an RDD in the batch: all must advance before the batch is committed.
   */
  advancing(batchId: number): Advancing[] {
    return this.#streams.flatMap(({ id, plan: { operator } }) => {
      const rdd = operator && this.operatorRdd(id, batchId)
      return rdd === undefined ? [] : [{ uid: operator!.uid, streamId: id, rdd }]
    })
  }

  /**
   * Returns the RDD that advances the state of an operator's stream; undefined when the batch has
   * none.
   */
  operatorRdd(streamId: number, batchId: number): Rdd<unknown> | undefined {
    return this.rddOfStream(streamId, batchId)
  }

  /** Returns the shuffle with this id; its batch must be known. */
  shuffle(shuffleId: string): ShuffleDependency {
    const [batchId, streamId] = shuffleId.replace('shuffle-', '').split(':').map(Number)
    this.rddOfStream(streamId!, batchId!)
    const dependency = this.#batch(batchId!).shuffles.get(shuffleId)
    assert(dependency, `shuffle ${shuffleId} does not exist`)
    return dependency
  }

  #make<T>(stream: Stream<T>, batchId: number): Rdd<T> | undefined {
    const batch = this.history.get(batchId)
    assert(batch, `batch ${batchId} is not known`)
    const outer = this.#making
    const making: Making = { batchId, streamId: stream.id, made: 0 }
    this.#making = making
    try {
      const rdd = stream.plan.rdd({
        batch,
        history: this.history,
        context: this.#context,
        rddOf: (parent, id = batchId) => this.rdd(parent, id),
      })
      const isForked =
        (this.#readers.get(stream) ?? 0) > 1 &&
        rdd?.partitioner === undefined &&
        stream.plan.operator === undefined &&
        stream.plan.isOutput !== true
      return rdd && isForked ? new Rdd(this.#context, shared(rdd) as RddPlan<T>) : rdd
    } finally {
      this.#making = outer
    }
  }

  #batch(batchId: number): BatchRdds {
    let batch = this.#batches.get(batchId)
    if (!batch) {
      batch = { ofStream: new Map(), shuffles: new Map() }
      this.#batches.set(batchId, batch)
    }
    return batch
  }

  /** Returns the RDD as one of the driver, for foreachRDD: executors do not have its functions. */
  #inDriver<T>(rdd: Rdd<T>): Rdd<T> {
    const batch = this.#batches.get(batchOfRdd(rdd))
    if (!batch) throw batchIsOver(rdd)
    batch.driver ??= new DriverRdds(this.#partitions)
    return batch.driver.of(rdd)
  }

  #countReaders(): void {
    const read = (stream: Stream<unknown>) =>
      this.#readers.set(stream, (this.#readers.get(stream) ?? 0) + 1)
    for (const { plan } of this.#streams) plan.parents.forEach(read)
    for (const output of this.outputs) read(output.stream)
  }

  #createContext({ run }: StreamGraphOptions): RddContext {
    return {
      defaultPartitions: this.#partitions,
      partitioner: byKeyGroups,
      nextId: () => {
        if (this.#making) {
          const { batchId, streamId } = this.#making
          return `${batchId}:${streamId}:${this.#making.made++}`
        }
        throw new EngineError(
          'JOB_GRAPH_INVALID',
          'an RDD of a stream cannot be transformed outside of transform() and foreachRDD; ' +
            'use one of the two',
        )
      },
      asParent: (rdd) => (this.#making || !run ? rdd : this.#inDriver(rdd)),
      register: (rdd) => {
        const { shuffles } = this.#batch(this.#making!.batchId)
        for (const dependency of rdd.dependencies) {
          if (dependency.kind === 'shuffle') shuffles.set(dependency.id, dependency)
        }
      },
      run: (rdd, action, partitions) => {
        if (this.#making || !run) throw actionInGraph(action)
        const all = Array.from({ length: rdd.partitionCount }, (_, at) => at)
        return run(rdd, action, partitions ?? all)
      },
    }
  }
}

interface BuiltStreams {
  readonly streams: Stream<unknown>[]
  readonly outputs: Output[]
  readonly sources: Map<string, TopicSource>
}

function buildStreams(job: Job, batchIntervalMs: number): BuiltStreams {
  const built: BuiltStreams = { streams: [], outputs: [], sources: new Map() }
  const uids = new Set<string>()
  const watermarkUids = new Set<string>()
  const builder: StreamBuilder = {
    batchIntervalMs,
    nextId: () => built.streams.length,
    register: (stream) => built.streams.push(stream),
    addOutput(output) {
      requireNewView(built.outputs, output)
      built.outputs.push(output)
    },
    stateUid(kind, given) {
      const uid = given ?? `${kind}-${uids.size}`
      requireUid(uids, uid)
      uids.add(uid)
      return uid
    },
    watermarkUid(topics, given) {
      const uid = given ?? watermarkName(topics)
      if (given !== undefined || !watermarkUids.has(uid)) requireUid(watermarkUids, uid)
      else throw unnamedWatermark(topics)
      watermarkUids.add(uid)
      return uid
    },
  }
  const source: JobStream = {
    fromTopic<Row>(topic: string, format: RowFormat<Row>, options: TopicOptions = {}) {
      const source = sourceOf(topic, options)
      const before = built.sources.get(topic)
      built.sources.set(topic, before ? joinSources(topic, before, source) : source)
      const rows = topicRows(topic, format, batchIntervalMs, options.onError)
      return new DStream<Row>(builder, rows)
    },
  }
  try {
    job.build(source)
    requireOtherDeadLetters(built.sources)
  } catch (error) {
    throw error instanceof EngineError ? error : failedIn(`building job '${job.name}'`, error)
  }
  if (built.outputs.length === 0) {
    const message = `job '${job.name}' has no output; end a stream with view() or foreachRDD()`
    throw new EngineError('JOB_GRAPH_INVALID', message)
  }
  return built
}

/**
 * The furthest that any stream reaches back, in ms; a window of windows reaches back by their sum.
 */
function rememberedBy(streams: readonly Stream<unknown>[]): number {
  const remembered = new Map<Stream<unknown>, number>()
  let most = 0
  // Parents come before their children.
  for (const stream of streams) {
    let above = 0
    for (const parent of stream.plan.parents) above = Math.max(above, remembered.get(parent)!)
    const own = above + (stream.plan.rememberMs ?? 0)
    remembered.set(stream, own)
    most = Math.max(most, own)
  }
  return most
}

/**
 * Returns the stream and those above it that have no RDD yet, parents first. Iterative, because a
 * graph may be very deep.
 */
function unmade(
  stream: Stream<unknown>,
  made: ReadonlyMap<number, unknown>,
): readonly Stream<unknown>[] {
  const found = new Set([stream])
  for (const each of found) {
    for (const parent of each.plan.parents) if (!made.has(parent.id)) found.add(parent)
  }
  return [...found].sort((one, other) => one.id - other.id)
}

function actionInGraph({ kind }: Action): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `an action (${kind}) cannot run while the graph is built, as in transform(); use foreachRDD, or ` +
      'only transformations',
  )
}

function requireNewView(outputs: readonly Output[], output: Output): void {
  if (output.kind !== 'view') return
  const isTaken = outputs.some((other) => other.kind === 'view' && other.name === output.name)
  if (!isTaken) return
  const message = `two views have the name '${output.name}'; rename one`
  throw new EngineError('JOB_GRAPH_INVALID', message)
}

/**
 * The default uid of a watermark, from its topics. A uid by position could, after a change of the
 * code, take over the time of another watermark, and make rows late that are not.
 */
function watermarkName(topics: readonly string[]): string {
  return `watermark-${topics.join('-').replaceAll('.', '_')}`.slice(0, 100)
}

function unnamedWatermark(topics: readonly string[]): EngineError {
  return new EngineError(
    'JOB_GRAPH_INVALID',
    `${topics.join(' and ')} have more than one withWatermark; use the stream of one of them several times, or ` +
      'name them with { uid }',
  )
}

/** A uid names a directory. */
function requireUid(uids: ReadonlySet<string>, uid: string): void {
  if (/^[a-zA-Z0-9_-]{1,100}$/.test(uid) && !uids.has(uid)) return
  const message = `'${uid}' is not a valid uid of a state or a watermark; use letters, digits, '_' and '-', and each uid once`
  throw new EngineError('JOB_GRAPH_INVALID', message)
}
