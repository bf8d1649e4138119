// The open state stores of one executor: one for each operator and partition that is pinned to it.
// A state advances once per batch, however many tasks read the result.

import { join } from 'node:path'
import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { decodeKey } from '../keys/key.ts'
import type { KeyedState, StateOutputs } from '../state/keyedState.ts'
import {
  type CodecCheck,
  decodeValue,
  InvalidStateError,
  OperatorState,
} from '../state/operatorState.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import { StateError } from '../state/stateError.ts'
import { StateStore, type StateStoreOptions } from '../state/stateStore.ts'
import type { StateSize } from '../state/stateVersion.ts'
import { v8Codec } from '../state/v8Codec.ts'
import { ValueCache } from '../state/valueCache.ts'
import { excerpt } from '../userCode.ts'
import { answerQuery } from './stateQuery.ts'
import type { StateAnswer, StateQuery } from './task.ts'

export interface StateStoresOptions {
  readonly clock: Clock
  /** The directory of all stores of the job. */
  readonly directory: string
  /** Maximum size of the values that all stores together cache, in bytes. */
  readonly cacheBytes?: number
  readonly open?: (directory: string, options: StateStoreOptions) => Promise<StateStore>
}

interface OpenState {
  readonly store: StateStore
  readonly codecCheck: CodecCheck
  /** The outputs of the operator in the last batch. */
  result?: { readonly batchId: number; readonly outputs: Promise<StateOutputs> }
}

/** How long the store may still be locked by the thread of the previous executor. */
const openTimeoutMs = 10_000
const openRetryMs = 50

export class StateStores {
  readonly #options: StateStoresOptions
  readonly #cache: ValueCache
  readonly #states = new Map<string, Promise<OpenState>>()
  #isClosed = false

  constructor(options: StateStoresOptions) {
    this.#options = options
    this.#cache = new ValueCache(
      options.cacheBytes === undefined ? {} : { maxBytes: options.cacheBytes },
    )
  }

  /**
   * Runs `advance` once for an operator, partition and batch, commits the changes, and keeps the
   * outputs for later tasks of the batch.
   */
  async advance(
    operator: StatefulOperator,
    partition: number,
    batchId: number,
    advance: (state: KeyedState) => Promise<StateOutputs>,
  ): Promise<StateOutputs> {
    const { uid, stateCodec = v8Codec } = operator
    const state = await this.#state(uid, partition)
    if (state.result?.batchId === batchId) return await state.result.outputs
    const outputs = advanced(state, stateCodec, batchId, advance).catch((error) => {
      throw error instanceof InvalidStateError ? invalidState(uid, error) : error
    })
    state.result = { batchId, outputs }
    try {
      return await outputs
    } catch (error) {
      await this.#drop(uid, partition, state)
      throw error
    }
  }

  /** Id of the newest batch that changed the state; -1 for none. */
  async version(operator: StatefulOperator, partition: number): Promise<number> {
    return (await this.#state(operator.uid, partition)).store.version
  }

  /** Size of the newest version of the state; undefined if an earlier release wrote it. */
  async size(operator: StatefulOperator, partition: number): Promise<StateSize | undefined> {
    return (await this.#state(operator.uid, partition)).store.size
  }

  /** Pushes all keys (encoded) with their values, in the order of the store. */
  async scan(
    operator: StatefulOperator,
    partition: number,
    each: (key: string, value: unknown) => void,
  ): Promise<void> {
    const { store } = await this.#state(operator.uid, partition)
    const codec = operator.stateCodec ?? v8Codec
    await store.scan((key, bytes) => each(key, decodeValue(codec, bytes)))
  }

  /** Returns values as of a committed batch, also while a batch runs. Fails with an EngineError. */
  async query(operator: StatefulOperator, query: StateQuery): Promise<StateAnswer> {
    const codec = operator.stateCodec ?? v8Codec
    for (;;) {
      try {
        const { store } = await this.#state(operator.uid, query.partition)
        return shownAnswer(operator, await answerQuery(store, codec, query))
      } catch (error) {
        // A store is closed after a failed batch; after reopening it has the committed batches.
        const isReplaced = error instanceof StateError && error.code === 'STATE_CLOSED'
        if (isReplaced && !this.#isClosed) continue
        const message = `cannot read the state '${operator.uid}': ${(error as Error).message}`
        throw new EngineError('STATE_QUERY_FAILED', message, error)
      }
    }
  }

  /** Discards the kept outputs: a batch is about to run, perhaps for the second time. */
  async forgetResults(): Promise<void> {
    for (const state of await this.#opened()) delete state.result
  }

  /** Closes all stores; they are reopened on demand. No task may run. */
  async release(): Promise<void> {
    const opened = await this.#opened()
    this.#states.clear()
    await Promise.all(opened.map(({ store }) => store.close()))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.release()
  }

  /** The stores that could be opened; failures were reported to the callers that opened them. */
  async #opened(): Promise<OpenState[]> {
    const states = await Promise.allSettled(this.#states.values())
    return states.flatMap((state) => (state.status === 'fulfilled' ? [state.value] : []))
  }

  #state(operator: string, partition: number): Promise<OpenState> {
    const key = stateKey(operator, partition)
    const found = this.#states.get(key)
    if (found !== undefined) return found
    const directory = join(this.#options.directory, operator, String(partition))
    if (this.#isClosed) {
      const message = `the state in ${directory} cannot be opened: its executor is ending`
      return Promise.reject(new StateError('STATE_CLOSED', message))
    }
    const state = this.#open(directory)
    this.#states.set(key, state)
    state.catch(() => this.#states.delete(key))
    return state
  }

  async #open(directory: string): Promise<OpenState> {
    const { clock, open = StateStore.open } = this.#options
    const deadlineMs = clock.monotonicMs() + openTimeoutMs
    for (;;) {
      try {
        const store = await open(directory, { cache: this.#cache })
        return { store, codecCheck: { isDone: false } }
      } catch (error) {
        const isHeld = error instanceof StateError && error.code === 'STATE_IN_USE'
        if (!isHeld || clock.monotonicMs() >= deadlineMs) throw error
        await sleep(clock, openRetryMs)
      }
    }
  }

  /** After a failure the store is reopened, because the effect of its last write is unknown. */
  async #drop(operator: string, partition: number, state: OpenState): Promise<void> {
    this.#states.delete(stateKey(operator, partition))
    await state.store.close()
  }
}

async function advanced(
  { store, codecCheck }: OpenState,
  codec: StateCodec,
  batchId: number,
  advance: (state: KeyedState) => Promise<StateOutputs>,
): Promise<StateOutputs> {
  const transaction = await store.begin(batchId)
  const outputs = await advance(new OperatorState(transaction, codec, codecCheck))
  await transaction.commit()
  return outputs
}

function invalidState(operator: string, error: InvalidStateError): EngineError {
  const problem = `the state '${operator}' cannot be stored: ${error.message}`
  const advice =
    'it would not be restored unchanged; store plain objects, arrays, Map, Set, Date, typed arrays and ' +
    'primitive values, or give the operator a codec'
  const key = excerpt(String(decodeKey(error.key)))
  const message = `${problem}, at key ${key}; ${advice}`
  return new EngineError('STATE_INVALID', message, error, `${problem}; ${advice}`)
}

function shownAnswer({ shown }: StatefulOperator, answer: StateAnswer): StateAnswer {
  if (shown === undefined) return answer
  return { ...answer, entries: answer.entries.map(([key, value]) => [key, shown(value)]) }
}

function stateKey(operator: string, partition: number): string {
  return `${operator}/${partition}`
}
