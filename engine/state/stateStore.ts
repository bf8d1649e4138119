// The state of one operator in one partition, exactly once: the state after batch N is written in
// the same atomic step as what undoes it, so that a batch that runs again, after a crash or because
// its task is retried, starts from the state before it, and never counts twice.
//
// All of it is kept in memory as well (JSON text, about the size of the data), so that reads are
// synchronous. A state must therefore fit into its executor's memory.

import { assert } from '../../protocol/runtime/assert.ts'
import { openLevelStateDatabase } from './levelStateDatabase.ts'
import type { StateChange, StateDatabase } from './stateDatabase.ts'
import { StateError } from './stateError.ts'
import { StateTransaction, type StateWrites } from './stateTransaction.ts'
import { noVersion, type UndoLink, VersionHistory } from './versionHistory.ts'

export interface StateStoreOptions {
  /** How many of the newest batches can be undone; at least, and by default, 2. */
  readonly keepUndo?: number
  /** Opens what is under the store; LevelDB by default. */
  readonly openDatabase?: (directory: string) => Promise<StateDatabase>
}

/** What restores the state before a batch: the old JSON text of each key, null where was none. */
interface Undo {
  readonly previous: number
  readonly entries: readonly (readonly [key: string, text: string | null])[]
}

const smallestKeepUndo = 2
const versionKey = 'version'
const statePrefix = 'state '
const undoPrefix = 'undo '

export class StateStore<Value = unknown> {
  readonly #directory: string
  readonly #database: StateDatabase
  readonly #keepUndo: number
  readonly #state: Map<string, string>
  #history: VersionHistory
  #transaction: StateTransaction<Value> | undefined
  /** A write is under way: what the state is will be known when it ends. */
  #isWriting = false
  #failure: StateError | undefined

  private constructor(
    directory: string,
    database: StateDatabase,
    keepUndo: number,
    contents: Contents,
  ) {
    this.#directory = directory
    this.#database = database
    this.#keepUndo = keepUndo
    this.#state = contents.state
    this.#history = contents.history
  }

  /** Opens the state in `directory`, empty when there is none, and reads it into memory. */
  static async open<Value = unknown>(
    directory: string,
    options: StateStoreOptions = {},
  ): Promise<StateStore<Value>> {
    const keepUndo = options.keepUndo ?? smallestKeepUndo
    assert(keepUndo >= smallestKeepUndo, `at least ${smallestKeepUndo} batches can be undone`)
    const database = await (options.openDatabase ?? openLevelStateDatabase)(directory)
    try {
      return new StateStore<Value>(directory, database, keepUndo, await load(directory, database))
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** The id of the newest batch whose state this is; -1 when there is none. */
  get version(): number {
    return this.#history.version
  }

  /** How many keys the newest version has. */
  get size(): number {
    return this.#state.size
  }

  /**
   * Starts batch `batchId` from the state before it, whichever batches have been committed since:
   * they are undone. A transaction that is still open is abandoned. Throws a StateError when the
   * batches to undo are more than are kept.
   */
  async begin(batchId: number): Promise<StateTransaction<Value>> {
    this.#requireReady()
    this.#transaction?.abandon()
    this.#transaction = undefined
    const plan = this.#history.begin(batchId)
    if (plan.kind === 'unreachable') throw this.#unreachable(batchId, plan.oldestBatchId)
    if (plan.undo.length > 0) await this.#rollBack(plan.undo)
    this.#transaction = new StateTransaction(batchId, this.#state, (writes) =>
      this.#commit(batchId, writes),
    )
    return this.#transaction
  }

  /** Closes the database. What was not committed is gone. */
  async close(): Promise<void> {
    this.#transaction?.abandon()
    await this.#database.close()
  }

  async #rollBack(versions: readonly number[]): Promise<void> {
    const restored = new Map<string, string | null>()
    for (const version of versions) {
      const undo = await this.#readUndo(version)
      for (const [key, text] of undo.entries) restored.set(key, text)
    }
    const history = this.#history.rolledBack(versions)
    const forgotten = versions.map((version) => deletion(undoKey(version)))
    await this.#write([...stateChanges(restored), ...forgotten, versionChange(history.version)])
    this.#apply(restored, history)
  }

  async #commit(batchId: number, writes: StateWrites): Promise<void> {
    this.#requireReady()
    const { history, forget } = this.#history.committed(batchId, this.#keepUndo)
    const old = [...writes.keys()].map((key) => [key, this.#state.get(key) ?? null] as const)
    const undo: Undo = { previous: this.version, entries: old }
    await this.#write([
      ...stateChanges(writes),
      { type: 'put', key: undoKey(batchId), value: JSON.stringify(undo) },
      ...forget.map((version) => deletion(undoKey(version))),
      versionChange(batchId),
    ])
    this.#apply(writes, history)
  }

  #apply(writes: StateWrites, history: VersionHistory): void {
    for (const [key, text] of writes) {
      if (text === null) this.#state.delete(key)
      else this.#state.set(key, text)
    }
    this.#history = history
  }

  /** After a failed write nobody knows what the disk holds: the store is of no more use then. */
  async #write(changes: readonly StateChange[]): Promise<void> {
    this.#isWriting = true
    try {
      await this.#database.write(changes)
    } catch (cause) {
      const message = `cannot write the state in ${this.#directory}: ${(cause as Error).message}`
      this.#failure = new StateError('STATE_FAILED', message, cause)
      throw this.#failure
    } finally {
      this.#isWriting = false
    }
  }

  async #readUndo(version: number): Promise<Undo> {
    const text = await this.#database.get(undoKey(version))
    if (text === undefined) throw damaged(this.#directory, `no undo of batch ${version}`)
    return parseUndo(this.#directory, text)
  }

  #requireReady(): void {
    if (this.#failure !== undefined) throw this.#failure
    assert(!this.#isWriting, 'a state is used by one task at a time')
  }

  #unreachable(batchId: number, oldestBatchId: number): StateError {
    return new StateError(
      'STATE_UNREACHABLE',
      `the state in ${this.#directory} is that of batch ${this.version} and goes back to the start of ` +
        `batch ${oldestBatchId} at most, but batch ${batchId} is to run: state and checkpoint are ` +
        'not of the same run; remove both to start over, or put back the right ones',
    )
  }
}

interface Contents {
  readonly state: Map<string, string>
  readonly history: VersionHistory
}

async function load(directory: string, database: StateDatabase): Promise<Contents> {
  const state = new Map<string, string>()
  const links: UndoLink[] = []
  let version = noVersion
  for await (const entries of database.entries()) {
    for (const [key, value] of entries) {
      if (key.startsWith(statePrefix)) state.set(parseStateKey(directory, key), value)
      else if (key.startsWith(undoPrefix)) {
        const { previous } = parseUndo(directory, value)
        links.push({ version: Number(key.slice(undoPrefix.length)), previous })
      } else if (key === versionKey) version = Number(value)
      else throw damaged(directory, `unknown entry ${JSON.stringify(key)}`)
    }
  }
  const history = new VersionHistory(version, links)
  if (!history.isConsistent()) throw damaged(directory, 'its versions do not form a chain')
  return { state, history }
}

function* stateChanges(writes: StateWrites): Generator<StateChange, void> {
  for (const [key, text] of writes) {
    if (text === null) yield deletion(stateKey(key))
    else yield { type: 'put', key: stateKey(key), value: text }
  }
}

function versionChange(version: number): StateChange {
  return { type: 'put', key: versionKey, value: String(version) }
}

function deletion(key: string): StateChange {
  return { type: 'del', key }
}

/** As JSON, because lone surrogates have no UTF-8: as they are, distinct keys would become one. */
function stateKey(key: string): string {
  return statePrefix + JSON.stringify(key)
}

function parseStateKey(directory: string, key: string): string {
  return parseJson(directory, key.slice(statePrefix.length)) as string
}

function undoKey(version: number): string {
  return undoPrefix + String(version)
}

function parseUndo(directory: string, text: string): Undo {
  return parseJson(directory, text) as Undo
}

function parseJson(directory: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw damaged(directory, 'an entry is not JSON', cause)
  }
}

function damaged(directory: string, what: string, cause?: unknown): StateError {
  const message = `the state in ${directory} is damaged: ${what}; remove it to start over`
  return new StateError('STATE_DAMAGED', message, cause)
}
