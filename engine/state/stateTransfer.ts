// State on its way from one directory to another: into a savepoint and out of it, into another number of
// partitions, and out of the format of an earlier release. Entries are as the stores keep them, encoded by
// the operator's codec. No job may have the directories open.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { partitionOfGroup } from '../rdd/keyGroup.ts'
import type { StateTimer } from './keyedState.ts'
import { openLevelStateDatabase } from './levelStateDatabase.ts'
import { isOldFormat, oldEntries } from './oldFormat.ts'
import { PartitionWriters } from './partitionWriters.ts'
import type { StateDatabase } from './stateDatabase.ts'
import { allParts, allTimers, allValues, groupOf, keyOfValue, timerOf } from './stateLayout.ts'
import { StateStore } from './stateStore.ts'
import { StateView } from './stateView.ts'
import { noVersion } from './versionHistory.ts'

export type StateEntry =
  | { readonly kind: 'value'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'timer'; readonly timer: StateTimer }

export type StateChunks = AsyncIterable<readonly StateEntry[]>

export interface StateTransferOptions {
  readonly disk: Disk
  /** LevelDB by default. */
  readonly openDatabase?: (directory: string) => Promise<StateDatabase>
}

/** Entries read at once; LevelDB also bounds their bytes. */
const groupSize = 1000

/** Directories are those of an operator; they have a folder for each partition. */
export class StateTransfer {
  readonly #disk: Disk
  readonly #openDatabase: (directory: string) => Promise<StateDatabase>

  constructor({ disk, openDatabase = openLevelStateDatabase }: StateTransferOptions) {
    this.#disk = disk
    this.#openDatabase = openDatabase
  }

  /** Whether no batch up to `batchId` has run on the state: it is as good as none. */
  async isNew(directory: string, partitions: number, batchId: number): Promise<boolean> {
    for await (const [folder, database] of this.#databases(directory, partitions)) {
      if (await isOldFormat(database)) return false
      if ((await StateView.open(folder, database, batchId)).version !== noVersion) return false
    }
    return true
  }

  /**
   * The entries as of a committed batch, in chunks of bounded size: partition by partition, the values in the
   * order of group and key, the parts of keys likewise, then the timers in the order of their times. What newer batches have changed is
   * taken back without writing. Throws a StateError for a batch that is not kept, and for a state of an
   * earlier release that cannot be converted.
   */
  async *exportState(
    directory: string,
    partitions: number,
    batchId: number,
  ): AsyncGenerator<readonly StateEntry[], void> {
    for await (const [folder, database] of this.#databases(directory, partitions)) {
      if (await isOldFormat(database)) yield* oldEntries(folder, database, batchId)
      else yield* entriesOf(await StateView.open(folder, database, batchId))
    }
  }

  /**
   * Writes a state of `partitions` partitions as of a batch into a directory that does not exist. It is durable
   * when this resolves; what a failure leaves behind is the caller's to remove.
   */
  async importState(
    directory: string,
    partitions: number,
    batchId: number,
    chunks: StateChunks,
  ): Promise<void> {
    const writers = new PartitionWriters(this.#disk, this.#openDatabase, directory, partitions)
    for await (const chunk of chunks) {
      for (const entry of chunk) {
        const key = entry.kind === 'value' ? entry.key : entry.timer.key
        await writers.write(partitionOfGroup(groupOf(key), partitions), entry)
      }
    }
    await writers.finish(batchId)
  }

  /**
   * Takes back what batches after `batchId` have changed. A crash leaves some partitions as they were, which
   * does not matter to a batch that runs on them.
   */
  async undo(directory: string, partitions: number, batchId: number): Promise<void> {
    const openDatabase = this.#openDatabase
    for await (const folder of this.#folders(directory, partitions)) {
      const store = await StateStore.open(folder, { openDatabase })
      try {
        await store.begin(batchId + 1)
      } finally {
        await store.close()
      }
    }
  }

  /** Of the partitions that there are. */
  async *#folders(directory: string, partitions: number): AsyncGenerator<string, void> {
    for (let partition = 0; partition < partitions; partition++) {
      const folder = join(directory, String(partition))
      if ((await this.#disk.stat(folder)) !== undefined) yield folder
    }
  }

  /** One after another; each is closed when the next one is asked for, or no other is. */
  async *#databases(
    directory: string,
    partitions: number,
  ): AsyncGenerator<readonly [folder: string, database: StateDatabase], void> {
    for await (const folder of this.#folders(directory, partitions)) {
      const database = await this.#openDatabase(folder)
      try {
        yield [folder, database]
      } finally {
        await database.close()
      }
    }
  }
}

async function* entriesOf(view: StateView): AsyncGenerator<readonly StateEntry[], void> {
  for (const range of [allValues, allParts]) {
    for await (const group of view.entries(range, groupSize)) {
      yield group.map(([name, value]) => ({ kind: 'value', key: keyOfValue(name), value }))
    }
  }
  for await (const group of view.entries(allTimers, groupSize)) {
    yield group.map(([name]) => ({ kind: 'timer', timer: timerOf(name) }))
  }
}
