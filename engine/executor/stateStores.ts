// The state stores that one executor has open: one for each operator and partition that is pinned to
// it. A change is made once per batch, however many tasks ask for its result.

import { join } from 'node:path'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { decodeKey } from '../rdd/key.ts'
import type { KeyedState } from '../rdd/lineage.ts'
import type { KeyedState as StateOfBatch, StateOutputs } from '../state/keyedState.ts'
import { StateError } from '../state/stateError.ts'
import { StateStore } from '../state/stateStore.ts'
import { InvalidStateError } from '../state/stateTransaction.ts'
import { excerpt } from '../userCode.ts'

export type StateEntries = readonly (readonly [key: string, value: unknown])[]

export interface StateStoresOptions {
  readonly clock: Clock
  /** Where all stores of the job are. */
  readonly directory: string
  readonly open?: (directory: string) => Promise<StateStore>
}

interface OpenState {
  readonly store: StateStore
  /** What the state was after the batch that changed it last. */
  result?: { readonly batchId: number; readonly entries: Promise<StateEntries> }
}

/** How long a store may still be held by the thread that was here before. */
const openTimeoutMs = 10_000
const openRetryMs = 50

export class StateStores {
  readonly #options: StateStoresOptions
  readonly #states = new Map<string, Promise<OpenState>>()

  constructor(options: StateStoresOptions) {
    this.#options = options
  }

  async update(
    operator: string,
    partition: number,
    batchId: number,
    change: (state: KeyedState) => void,
  ): Promise<StateEntries> {
    const state = await this.#state(operator, partition)
    if (state.result?.batchId === batchId) return state.result.entries
    const entries = apply(state.store, operator, batchId, change)
    state.result = { batchId, entries }
    try {
      return await entries
    } catch (error) {
      await this.#drop(operator, partition, state)
      throw error
    }
  }

  /** Runs `advance` once for an operator, partition and batch, commits, and remembers what it emitted. */
  advance(
    _operator: StatefulOperator,
    _partition: number,
    _batchId: number,
    _advance: (state: StateOfBatch) => Promise<StateOutputs>,
  ): Promise<StateOutputs> {
    return Promise.reject(new Error('not built yet'))
  }

  /** Id of the newest batch that changed the state; -1 for none. */
  version(_operator: StatefulOperator, _partition: number): Promise<number> {
    return Promise.reject(new Error('not built yet'))
  }

  /** Pushes all keys (encoded) with their values. */
  scan(
    _operator: StatefulOperator,
    _partition: number,
    _each: (key: string, value: unknown) => void,
  ): Promise<void> {
    return Promise.reject(new Error('not built yet'))
  }

  /** A batch is about to run, perhaps again: what is remembered of it does not count. */
  async forgetResults(): Promise<void> {
    for (const state of this.#states.values()) delete (await state).result
  }

  async close(): Promise<void> {
    for (const state of this.#states.values()) await (await state).store.close()
    this.#states.clear()
  }

  #state(operator: string, partition: number): Promise<OpenState> {
    const key = stateKey(operator, partition)
    let state = this.#states.get(key)
    if (!state) {
      state = this.#open(join(this.#options.directory, operator, String(partition)))
      this.#states.set(key, state)
      state.catch(() => this.#states.delete(key))
    }
    return state
  }

  async #open(directory: string): Promise<OpenState> {
    const { clock, open = StateStore.open } = this.#options
    const deadlineMs = clock.monotonicMs() + openTimeoutMs
    for (;;) {
      try {
        return { store: await open(directory) }
      } catch (error) {
        const isHeld = error instanceof StateError && error.code === 'STATE_IN_USE'
        if (!isHeld || clock.monotonicMs() >= deadlineMs) throw error
        await sleep(clock, openRetryMs)
      }
    }
  }

  /** After a failure the store is read anew: what its last write left is known only then. */
  async #drop(operator: string, partition: number, state: OpenState): Promise<void> {
    this.#states.delete(stateKey(operator, partition))
    await state.store.close()
  }
}

async function apply(
  store: StateStore,
  operator: string,
  batchId: number,
  change: (state: KeyedState) => void,
): Promise<StateEntries> {
  const transaction = await store.begin(batchId)
  try {
    change(transaction)
  } catch (error) {
    throw error instanceof InvalidStateError ? invalidState(operator, error) : error
  }
  const entries = [...transaction.entries()]
  // A version that differs in nothing is not worth a sync: the batch then makes none.
  if (transaction.hasChanges) await transaction.commit()
  else transaction.abandon()
  return entries
}

function invalidState(operator: string, error: InvalidStateError): EngineError {
  const problem = `the state '${operator}' cannot be stored: ${error.message}`
  const advice =
    'a state is kept as JSON, and this would come back as something else; keep plain objects, arrays, ' +
    'strings, finite numbers, booleans and null (a Set as an array, a Date as its getTime())'
  const key = excerpt(String(decodeKey(error.key)))
  const message = `${problem}, at key ${key}; ${advice}`
  return new EngineError('STATE_INVALID', message, error, `${problem}; ${advice}`)
}

function stateKey(operator: string, partition: number): string {
  return `${operator}/${partition}`
}
