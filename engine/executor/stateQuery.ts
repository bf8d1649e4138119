// Reads a state while its job runs: the values of keys, or a part of the list of all entries, as of
// a committed batch. Does not affect the running batch or the state.

import { decodeValue } from '../state/operatorState.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import { allValues, keyOfValue, valuesAfter } from '../state/stateLayout.ts'
import type { StateStore } from '../state/stateStore.ts'
import type { StateView } from '../state/stateView.ts'
import type { StateAnswer, StateQuery } from './task.ts'

/** Bounds of one answer, which crosses threads in one message. */
const mostEntries = 10_000
const mostBytes = 4 * 1024 * 1024
/** Entries read from the database at once. */
const groupSize = 256

/** Throws a StateError when the state no longer has the version of that batch. */
export function answerQuery(
  store: StateStore,
  codec: StateCodec,
  query: StateQuery,
): Promise<StateAnswer> {
  return store.readAsOf(query.batchId, async (view) => {
    const answer = new Answer(codec, Math.min(query.limit, mostEntries))
    if (query.keys === undefined) await list(view, query.after, answer)
    else await lookUp(view, query.keys, answer)
    return answer
  })
}

async function list(view: StateView, after: string | undefined, answer: Answer): Promise<void> {
  const range = after === undefined ? allValues : valuesAfter(after)
  for await (const group of view.entries(range, groupSize)) {
    for (const [key, bytes] of group) {
      if (!answer.add(keyOfValue(key), bytes)) return
    }
  }
}

/** Keys without a value are left out. */
async function lookUp(view: StateView, keys: readonly string[], answer: Answer): Promise<void> {
  for (let at = 0; at < keys.length; at += groupSize) {
    const some = keys.slice(at, at + groupSize)
    const values = await view.values(some)
    for (const [place, key] of some.entries()) {
      const bytes = values[place]
      if (bytes !== undefined && !answer.add(key, bytes)) return
    }
  }
}

class Answer implements StateAnswer {
  readonly entries: [key: string, value: unknown][] = []
  hasMore = false
  readonly #codec: StateCodec
  readonly #limit: number
  #bytes = 0

  constructor(codec: StateCodec, limit: number) {
    this.#codec = codec
    this.#limit = limit
  }

  /** Returns false if the answer has no room for the entry. The first entry always has room. */
  add(key: string, bytes: Uint8Array): boolean {
    this.#bytes += key.length + bytes.length
    const isFull = this.entries.length > 0 && this.#bytes > mostBytes
    if (isFull || this.entries.length >= this.#limit) {
      this.hasMore = true
      return false
    }
    this.entries.push([key, decodeValue(this.#codec, bytes)])
    return true
  }
}
