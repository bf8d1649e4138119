// Key-value stores whose writes, or openings, fail once: before they took effect or after.

import type {
  KeyValueStore,
  OpenKeyValueStore,
} from '../../../../protocol/runtime/store/keyValueStore.ts'

export interface PlannedFailure {
  /** The write that fails, counted from 1 over all stores. */
  readonly write: number
  readonly code: string
  /** Whether the changes are in the store all the same. */
  readonly isWritten: boolean
}

export class FailingStores {
  readonly #open: OpenKeyValueStore
  failure: PlannedFailure | undefined
  /** Code with which the next openings fail, one each. */
  readonly openFailures: string[] = []
  writes = 0
  opened = 0

  constructor(open: OpenKeyValueStore) {
    this.#open = open
  }

  readonly open: OpenKeyValueStore = async (directory) => {
    const code = this.openFailures.shift()
    if (code !== undefined) throw systemError(code)
    this.opened++
    return this.#wrapped(await this.#open(directory))
  }

  #wrapped(store: KeyValueStore): KeyValueStore {
    let hasFailed = false
    return {
      getMany: (keys) => store.getMany(keys),
      entries: (range, atOnce) => store.entries(range, atOnce),
      snapshot: () => store.snapshot(),
      close: () => store.close(),
      write: async (changes, options) => {
        // As with LevelDB, the store is of no use after a failed write.
        if (hasFailed) throw new Error('written to after a failed write')
        const isFailing = ++this.writes === this.failure?.write
        if (!isFailing || this.failure!.isWritten) await store.write(changes, options)
        hasFailed = isFailing
        if (isFailing) throw systemError(this.failure!.code)
      },
    }
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code })
}
