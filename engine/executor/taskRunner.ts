// Runs the tasks of one executor: finds the RDD of a task in the executor's own graph, and provides
// its context. Used in worker threads and in the driver's thread.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { EngineError, reportError } from '../engineError.ts'
import { runAction } from '../rdd/action.ts'
import { writeBuckets } from '../rdd/buckets.ts'
import type { TaskContext } from '../rdd/lineage.ts'
import { requirePlainBuckets, requirePlainElements } from '../rdd/plainResults.ts'
import { olderTimestamp, type RangeRead } from '../sources/scan.ts'
import { TaskRejections } from '../sources/taskRejections.ts'
import type { Scanner } from '../sources/topicScanner.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import type { StreamGraph } from '../stream/streamGraph.ts'
import { withUserFrame } from '../userCode.ts'
import { SharedPasses } from './sharedPasses.ts'
import type { StateStores } from './stateStores.ts'
import {
  type EventTime,
  type StateAnswer,
  type StateQuery,
  shuffleInputKey,
  type Task,
  type TaskReport,
} from './task.ts'

export interface TaskRunnerOptions {
  readonly graph: StreamGraph
  /** Closed by the runner, like the states. */
  readonly scanner: Scanner
  readonly states: StateStores
  readonly scheduler: Scheduler
}

export class TaskRunner {
  readonly #graph: StreamGraph
  readonly #scanner: Scanner
  readonly #states: StateStores
  readonly #passes: SharedPasses
  #batch: BatchInfo | undefined
  #ready: Promise<void> = Promise.resolve()

  constructor({ graph, scanner, states, scheduler }: TaskRunnerOptions) {
    this.#graph = graph
    this.#scanner = scanner
    this.#states = states
    this.#passes = new SharedPasses(scheduler)
  }

  addBatch(batch: BatchInfo): void {
    this.#graph.addBatch(batch)
    this.#batch = batch
    this.#ready = this.#states.forgetResults()
  }

  /** Starts all tasks before the first of them waits, so that they share passes. */
  async run(tasks: readonly Task[], report: (report: TaskReport) => void): Promise<void> {
    await this.#ready
    await Promise.all(tasks.map(async (task) => report(await this.#run(task))))
  }

  /** Returns values of a state that this executor holds. Fails with an EngineError. */
  async query(query: StateQuery): Promise<StateAnswer> {
    const { name, operators } = this.#graph
    const operator = operators.find(({ uid }) => uid === query.operator)
    if (operator !== undefined) return await this.#states.query(operator, query)
    const uids = operators.map(({ uid }) => uid).join(', ')
    const known = uids === '' ? 'it has none' : `its states are ${uids}`
    const message = `job '${name}' has no state '${query.operator}': ${known}`
    throw new EngineError('STATE_QUERY_FAILED', message)
  }

  /** No task may run. */
  async releaseStates(): Promise<void> {
    await this.#states.release()
  }

  async close(): Promise<void> {
    this.#scanner.close()
    await this.#states.close()
  }

  async #run(task: Task): Promise<TaskReport> {
    const read: WhatWasRead = { oldestTimestampMs: undefined, ranges: [], eventTimes: [] }
    const rejections = new TaskRejections()
    try {
      const value = await this.#work(task, this.#context(task, read, rejections))
      const outcome = { kind: 'finished', value } as const
      return { taskId: task.taskId, outcome, ...read, ...rejections.report() }
    } catch (error) {
      const outcome = { kind: 'failed', error: reportError(withUserFrame(error)) } as const
      return { taskId: task.taskId, outcome, ...read, ...rejections.report() }
    }
  }

  async #work({ work, partition }: Task, context: TaskContext): Promise<unknown> {
    if (work.kind === 'map') {
      const buckets = await writeBuckets(this.#graph.shuffle(work.shuffleId), partition, context)
      requirePlainBuckets(buckets)
      return buckets
    }
    const [batchId, streamId] = work.rddId.split(':').map(Number)
    const rdd =
      work.action.kind === 'advance'
        ? this.#graph.operatorRdd(streamId!, batchId!)
        : this.#graph.rddOfStream(streamId!, batchId!)
    assert(
      rdd?.id === work.rddId,
      `the graph of the executor has ${rdd?.id} in place of ${work.rddId}`,
    )
    const result = await runAction(work.action, rdd, partition, context)
    requirePlainElements(result)
    return result
  }

  #context(task: Task, read: WhatWasRead, rejections: TaskRejections): TaskContext {
    const isPartial = wantsPart(task)
    const context: TaskContext = {
      batchId: task.batchId,
      timeMs: this.#batch?.timeMs ?? 0,
      watermarks: this.#batch?.watermarks ?? {},
      readShuffle(shuffleId, reducePartition) {
        const buckets = task.inputs.get(shuffleInputKey(shuffleId, reducePartition))
        assert(buckets, `the task has no buckets of ${shuffleId}, partition ${reducePartition}`)
        return Promise.resolve(buckets)
      },
      scan: async (scan, sink) => {
        const { reject } = context
        const options = { fetchAhead: !isPartial, reject }
        const { oldestTimestampMs, ...found } = await this.#scanner.scan(scan, sink, options)
        read.oldestTimestampMs = olderTimestamp(read.oldestTimestampMs, oldestTimestampMs)
        read.ranges.push({ range: scan.range, ...found })
      },
      advanceState: (operator, partition, advance) =>
        this.#states.advance(operator, partition, task.batchId, advance),
      stateVersion: (operator, partition) => this.#states.version(operator, partition),
      stateSize: (operator, partition) => this.#states.size(operator, partition),
      scanState: (operator, partition, each) => this.#states.scan(operator, partition, each),
      noteEventTime: (watermark, source, timeMs) => {
        read.eventTimes.push({ watermark, source, timeMs })
      },
      reject: (record) => rejections.reject(record),
    }
    if (isPartial) return context
    const share: TaskContext['share'] = (rdd, partition, sink) =>
      this.#passes.share(rdd, partition, context, sink)
    return Object.assign(context, { share })
  }
}

interface WhatWasRead {
  oldestTimestampMs: number | undefined
  readonly ranges: RangeRead[]
  readonly eventTimes: EventTime[]
}

/**
 * Whether the task ends its pass early, when it has enough elements: it must not share the pass.
 */
function wantsPart({ work }: Task): boolean {
  return work.kind === 'result' && work.action.kind === 'collect' && work.action.limit !== undefined
}
