// Stateful operators: the work of an operator on the keys of one partition in one batch, and the
// stream that does it. All operators with state per key are implemented on it; they touch only keys
// with input or a due timer. Invariant: the result is the same on every rerun of a batch. Keys are
// handled in order of arrival, timers by time, key and tag, and the only clocks are those of the
// batch.

import type { StatefulOperator } from '../../contract/statefulOperator.ts'
import { EngineError } from '../../engineError.ts'
import { decodeKey, encodeKey, type Key, partOf } from '../../keys/key.ts'
import { type Lineage, oneToOne, type Pair, type TaskContext } from '../../rdd/lineage.ts'
import type { RddPlan } from '../../rdd/narrow.ts'
import { requirePlainElements } from '../../rdd/plainResults.ts'
import { Rdd } from '../../rdd/rdd.ts'
import type { KeyedState, StateOutputs, StateTimer } from '../../state/keyedState.ts'
import { InvalidStateError } from '../../state/operatorState.ts'
import { failedAtKey } from '../../userCode.ts'
import { unionUid } from '../eventTime.ts'
import type { Stream, StreamBatch, StreamPlan } from '../streamPlan.ts'
import { fireDueTimers, type TimerState } from './dueTimers.ts'
import { type KeyOutput, KeyScope, type OperatorBatch, type OperatorRun } from './keyScope.ts'
import { copyOf } from './plainCopy.ts'

/** `Arrived`: the input of a key in a batch. `Stored`: its value in the state. */
export interface KeyedOperator<K extends Key, Arrived, Stored> {
  readonly contract: StatefulOperator
  /** Called once for each key with input in the batch. */
  onArrived(key: K, arrived: Arrived, scope: KeyScope<Stored>): void
  /** Called for each due timer, after all input of the batch. */
  onTimer?(key: K, timer: StateTimer, scope: KeyScope<Stored>): void
  /**
   * Returns the part of a timer's key that `onTimer` reads, if any; the parts of many timers are
   * loaded together. The part is not loaded for a timer that `onTimer` sets for the same batch.
   */
  readonly duePart?: DuePart
  /** Keys of a new state, and how to store their initial values. */
  readonly initial?: {
    keys(): Iterable<K>
    store(key: K, scope: KeyScope<Stored>): void
  }
}

type DuePart = (timer: StateTimer) => number | undefined

/** Tells which of the initial keys belong to the partition of the state. */
export interface StatePartition {
  holds(key: Key): boolean
}

/** Advances the state from the previous batch to this one, and returns the operator's output. */
export async function advanceKeys<K extends Key, Arrived, Stored>(
  operator: KeyedOperator<K, Arrived, Stored>,
  arrived: ReadonlyMap<K, Arrived>,
  state: KeyedState,
  batch: OperatorBatch,
  partition: StatePartition,
): Promise<StateOutputs> {
  const { initial } = operator
  const outputs: Record<string, unknown[]> = {}
  const emit: KeyOutput = (name, value) => {
    outputs[name] ??= []
    outputs[name].push(value)
  }
  const run: OperatorRun = { state, timers: state, batch, emit }

  if (state.isNew && initial) {
    const keys = [...initial.keys()].filter((key) => partition.holds(key))
    await state.load(keys.map(encodeKey))
    for (const key of keys) {
      atKey<Stored>(operator, encodeKey(key), run, (scope) => initial.store(key, scope))
    }
  }
  const stored = [...arrived.keys()].map(encodeKey)
  await state.load(stored)
  let at = 0
  for (const [key, values] of arrived) {
    atKey<Stored>(operator, stored[at++]!, run, (scope) => operator.onArrived(key, values, scope))
  }
  await fireDueTimers(
    duePartsLoaded(state, operator.duePart),
    batch,
    operator.contract,
    (timer, timers) => {
      atKey<Stored>(operator, timer.key, { ...run, timers }, (scope) => {
        operator.onTimer?.(decodeKey(timer.key) as K, timer, scope)
      })
    },
  )
  for (const values of Object.values(outputs)) requirePlainElements(values)
  return outputs
}

/** Loads the parts that the operator reads for due timers, together with the timers. */
function duePartsLoaded(state: KeyedState, duePart: DuePart | undefined): TimerState {
  if (duePart === undefined) return state
  return {
    setTimer: (timer) => state.setTimer(timer),
    deleteTimer: (timer) => state.deleteTimer(timer),
    async takeTimers(domain, untilMs, limit) {
      const taken = await state.takeTimers(domain, untilMs, limit)
      const due: string[] = []
      for (const timer of taken) {
        const part = duePart(timer)
        if (part !== undefined) due.push(partOf(timer.key, part))
      }
      if (due.length > 0) await state.load(due)
      return taken
    },
  }
}

/**
 * Passes a key to the operator; an exception thrown by the job's functions is reported with the
 * key.
 */
function atKey<Stored>(
  { contract }: { readonly contract: StatefulOperator },
  stored: string,
  run: OperatorRun,
  call: (scope: KeyScope<Stored>) => void,
): void {
  const scope = new KeyScope<Stored>(stored, run)
  try {
    call(scope)
  } catch (error) {
    if (error instanceof InvalidStateError || error instanceof EngineError) throw error
    throw failedAtKey(error, `${contract.kind} '${contract.uid}'`, decodeKey(stored))
  } finally {
    scope.end()
  }
}

/** The input of an operator's stream. */
export interface OperatorInput<K extends Key, Arrived> {
  /** Each key at most once, in the default number of partitions. */
  arrived(at: StreamBatch): Rdd<Pair<K, Arrived>> | undefined
  /** Uids of the watermarks of the input. */
  readonly watermarks?: readonly string[]
}

/**
 * The stream that advances the state. Its elements are the operator's outputs, one per partition.
 */
export function operatorPlan<K extends Key, Arrived, Stored>(
  parent: Stream<unknown>,
  operator: KeyedOperator<K, Arrived, Stored>,
  input: OperatorInput<K, Arrived>,
): StreamPlan<StateOutputs> {
  const { contract } = operator
  return {
    name: contract.kind,
    detail: `${contract.uid} ${contract.shape} ${contract.codec}`,
    parents: [parent],
    slideMs: parent.slideMs,
    operator: contract,
    isStateful: true,
    rdd(at) {
      const arrived = input.arrived(at)
      return arrived && new Rdd(at.context, advancing(operator, arrived, input.watermarks))
    },
  }
}

function advancing<K extends Key, Arrived, Stored>(
  operator: KeyedOperator<K, Arrived, Stored>,
  arrived: Lineage<Pair<K, Arrived>>,
  watermarks: readonly string[] = [],
): RddPlan<StateOutputs> {
  const { contract } = operator
  const outputs = (partition: number, task: TaskContext) =>
    task.advanceState(contract, partition, async (state) => {
      const ofKeys = new Map<K, Arrived>()
      await arrived.compute(partition, task, ([key, values]) => ofKeys.set(key, values))
      const { batchId, timeMs } = task
      const batch = { batchId, timeMs, watermarkMs: watermarkOf(task, watermarks) }
      const holds = (key: Key) => arrived.partitioner?.partitionOf(key) === partition
      return await advanceKeys(operator, ofKeys, state, batch, { holds })
    })
  return {
    name: contract.kind,
    partitionCount: arrived.partitionCount,
    dependencies: [oneToOne(arrived)],
    affinity: (partition) => ({ kind: 'state', slot: partition }),
    async compute(partition, task, sink) {
      sink(await outputs(partition, task))
    },
    async advance(partition, task) {
      const { late = [] } = await outputs(partition, task)
      const changedIn = await task.stateVersion(contract, partition)
      const size = await task.stateSize(contract, partition)
      return { changedIn, lateRows: late.length, size }
    },
  }
}

/**
 * Returns the watermark of a stream with the watermarks `uids`. Undefined until all of them that
 * are not idle have an event time.
 */
export function watermarkOf(
  batch: { readonly watermarks?: Readonly<Record<string, number>> | undefined },
  uids: readonly string[],
): number | undefined {
  const planned = batch.watermarks?.[unionUid(uids)]
  if (planned !== undefined) return planned
  // A batch planned by an earlier release, which planned no watermarks for unions.
  let smallest: number | undefined
  for (const uid of uids) {
    const watermark = batch.watermarks?.[uid]
    if (watermark === undefined) return undefined
    smallest = smallest === undefined ? watermark : Math.min(smallest, watermark)
  }
  return smallest
}

/**
 * One output of an operator as a stream. Elements are copied, because all tasks of the batch,
 * including retried ones, receive the same outputs.
 */
export function outputPlan<T>(operator: Stream<StateOutputs>, output: string): StreamPlan<T> {
  return {
    name: 'output',
    detail: output,
    isOutput: true,
    parents: [operator],
    slideMs: operator.slideMs,
    rdd({ rddOf, context }) {
      const advanced = rddOf(operator)
      if (advanced === undefined) return undefined
      return new Rdd<T>(context, {
        name: operator.plan.name,
        partitionCount: advanced.partitionCount,
        dependencies: [oneToOne(advanced)],
        compute: (partition, task, sink) =>
          advanced.compute(partition, task, (outputs) => {
            for (const value of outputs[output] ?? []) sink(copyOf(value as T))
          }),
      })
    },
  }
}

/**
 * The state of all keys after the batch: all of it is read, whatever the batch touched. `entries`
 * returns any number of elements per key; with `isKeyed` these are pairs with the state's key.
 */
export function tablePlan<K extends Key, Stored, T>(
  operator: Stream<StateOutputs>,
  options: {
    readonly name: string
    readonly slideMs?: number
    /** Whether the stream has an RDD in a batch; true by default. */
    isDue?(at: StreamBatch): boolean
    /** Whether the elements are pairs of the state's keys, and so keep the state's partitioner. */
    readonly isKeyed: boolean
    entries(key: K, stored: Stored): Iterable<T>
  },
): StreamPlan<T> {
  const contract = operator.plan.operator!
  return {
    name: options.name,
    detail: `of ${contract.uid}`,
    parents: [operator],
    isTable: true,
    slideMs: options.slideMs ?? operator.slideMs,
    rdd(at) {
      const advanced = at.rddOf(operator)
      if (advanced === undefined || options.isDue?.(at) === false) return undefined
      const [dependency] = advanced.dependencies
      const partitioner = options.isKeyed ? dependency?.parent.partitioner : undefined
      return new Rdd<T>(at.context, {
        name: contract.kind,
        partitionCount: advanced.partitionCount,
        partitioner,
        dependencies: [oneToOne(advanced)],
        async compute(partition, task, sink) {
          await advanced.compute(partition, task, () => {})
          await task.scanState(contract, partition, (stored, value) => {
            const key = decodeKey(stored) as K
            for (const entry of entriesAtKey(contract, key, () =>
              options.entries(key, value as Stored),
            )) {
              sink(entry)
            }
          })
        },
      })
    },
  }
}

function entriesAtKey<T>(contract: StatefulOperator, key: Key, entries: () => Iterable<T>) {
  try {
    return entries()
  } catch (error) {
    throw failedAtKey(error, `${contract.kind} '${contract.uid}'`, key)
  }
}
