// A state as of a committed batch, read from a snapshot of its database: the current entries, with
// the changes of newer batches undone in memory. Writes nothing; batches continue meanwhile.

import type { DatabaseEntry, KeyRange, StateReader } from './stateDatabase.ts'
import { damaged, StateError } from './stateError.ts'
import { undoKey, valueKey } from './stateLayout.ts'
import { readVersion } from './stateVersion.ts'
import { decodeUndo, type UndoEntry } from './undo.ts'

export class StateView {
  /** The newest batch that had changed the state by then; -1 for none. */
  readonly version: number
  readonly #snapshot: StateReader
  /** Previous values of entries that newer batches have changed, sorted by key. */
  readonly #undone: readonly UndoEntry[]
  readonly #undoneByKey: ReadonlyMap<string, Uint8Array | null>

  private constructor(snapshot: StateReader, version: number, undone: Map<string, UndoEntry>) {
    this.version = version
    this.#snapshot = snapshot
    this.#undone = [...undone.values()].sort(([one], [other]) => Buffer.compare(one, other))
    this.#undoneByKey = new Map([...undone].map(([name, [, before]]) => [name, before]))
  }

  /** Reads the undo records needed. Throws STATE_UNREACHABLE when they are no longer kept. */
  static async open(where: string, snapshot: StateReader, batchId: number): Promise<StateView> {
    const { history } = await readVersion(where, snapshot)
    const plan = history.begin(batchId + 1)
    if (plan.kind === 'unreachable') {
      const message =
        `the state in ${where} is at batch ${history.version} and can be read back to the end of batch ` +
        `${plan.oldestBatchId - 1} at most, not to batch ${batchId}`
      throw new StateError('STATE_UNREACHABLE', message)
    }
    const undone = new Map<string, UndoEntry>()
    const records = await snapshot.getMany(plan.undo.map(undoKey))
    for (const [at, version] of plan.undo.entries()) {
      const record = records[at]
      if (record === undefined)
        throw damaged(where, `the undo record of batch ${version} is missing`)
      for (const entry of decodeUndo(where, record)) undone.set(nameOf(entry[0]), entry)
    }
    return new StateView(snapshot, plan.version, undone)
  }

  /** Returns the encoded values of keys; undefined for a key without a value. */
  async values(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const wanted = keys.map(valueKey)
    const values = await this.#snapshot.getMany(wanted)
    return wanted.map((key, at) => {
      const before = this.#undoneByKey.get(nameOf(key))
      return before === undefined ? values[at] : (before ?? undefined)
    })
  }

  /** Yields the entries of a range in key order, in groups of about `atOnce`. */
  async *entries(range: KeyRange, atOnce: number): AsyncGenerator<readonly DatabaseEntry[], void> {
    const undone = this.#undone.filter(([key]) => isIn(range, key))
    let next = 0
    for await (const group of this.#snapshot.entries(range, atOnce)) {
      if (next === undone.length) {
        yield group
        continue
      }
      const merged: DatabaseEntry[] = []
      for (const entry of group) {
        const [key] = entry
        let order = 1
        while (next < undone.length && order > 0) {
          const [undoneKey, before] = undone[next]!
          order = Buffer.compare(key, undoneKey)
          if (order < 0) break
          if (before !== null) merged.push([undoneKey, before])
          next++
        }
        if (order !== 0) merged.push(entry)
      }
      if (merged.length > 0) yield merged
    }
    const rest: DatabaseEntry[] = []
    for (const [key, before] of undone.slice(next)) if (before !== null) rest.push([key, before])
    if (rest.length > 0) yield rest
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function isIn({ from, until }: KeyRange, key: Uint8Array): boolean {
  return Buffer.compare(from, key) <= 0 && Buffer.compare(key, until) < 0
}
