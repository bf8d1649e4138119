// State on its way from one directory to another: into a savepoint and out of it, into another number of
// partitions, and out of the format of an earlier release. Entries are as the stores keep them, encoded by
// the operator's codec. No job may have the directories open.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { partitionOfGroup } from '../rdd/keyGroup.ts'
import { beginSwap, finishSwap, recoverAll } from './directorySwap.ts'
import type { StateTimer } from './keyedState.ts'
import { openLevelStateDatabase } from './levelStateDatabase.ts'
import { isOldFormat, oldEntries } from './oldFormat.ts'
import { PartitionWriters } from './partitionWriters.ts'
import type { StateDatabase } from './stateDatabase.ts'
import { allTimers, allValues, groupOf, keyOfValue, timerOf } from './stateLayout.ts'
import { StateView } from './stateView.ts'

export { keyGroupCount } from '../rdd/keyGroup.ts'

export type StateEntry =
  | { readonly kind: 'value'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'timer'; readonly timer: StateTimer }

export type StateChunks = AsyncIterable<readonly StateEntry[]>

/** What a directory has: nothing, JSON texts of the first release, or entries by key group. */
export type StateFormat = 'none' | 'json' | 'keyGroups'

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

  /** Must run before a state in `stateDirectory` is opened: ends imports that a crash has interrupted. */
  async recover(stateDirectory: string): Promise<void> {
    await recoverAll(this.#disk, stateDirectory)
  }

  async formatOf(directory: string, partitions: number): Promise<StateFormat> {
    let isEmpty = true
    for (let partition = 0; partition < partitions; partition++) {
      const folder = join(directory, String(partition))
      if ((await this.#disk.stat(folder)) === undefined) continue
      isEmpty = false
      if (await this.#withDatabase(folder, isOldFormat)) return 'json'
    }
    return isEmpty ? 'none' : 'keyGroups'
  }

  /**
   * The entries as of a committed batch, in chunks of bounded size: partition by partition, the values in the
   * order of group and key, then the timers in the order of their times. What newer batches have changed is
   * taken back without writing. Throws a StateError for a batch that is not kept, and for a state of an
   * earlier release that cannot be converted.
   */
  async *exportState(
    directory: string,
    partitions: number,
    batchId: number,
  ): AsyncGenerator<readonly StateEntry[], void> {
    for (let partition = 0; partition < partitions; partition++) {
      const folder = join(directory, String(partition))
      if ((await this.#disk.stat(folder)) === undefined) continue
      const database = await this.#openDatabase(folder)
      try {
        if (await isOldFormat(database)) yield* oldEntries(folder, database, batchId)
        else yield* entriesOf(await StateView.open(folder, database, batchId))
      } finally {
        await database.close()
      }
    }
  }

  /**
   * Writes a state of `partitions` partitions as of a batch, in place of what `directory` has. A crash, or
   * chunks that end with an error, leave the directory as it was; once this resolves, it is durably new.
   */
  async importState(
    directory: string,
    partitions: number,
    batchId: number,
    chunks: StateChunks,
  ): Promise<void> {
    const disk = this.#disk
    const target = await beginSwap(disk, directory)
    const writers = new PartitionWriters(disk, this.#openDatabase, target, partitions)
    for await (const chunk of chunks) {
      for (const entry of chunk) {
        const key = entry.kind === 'value' ? entry.key : entry.timer.key
        await writers.write(partitionOfGroup(groupOf(key), partitions), entry)
      }
    }
    await writers.finish(batchId)
    await finishSwap(disk, directory)
  }

  /** Spreads a state over another number of partitions; also converts one of the earlier format. */
  async rescaleState(directory: string, from: number, to: number, batchId: number): Promise<void> {
    await this.importState(directory, to, batchId, this.exportState(directory, from, batchId))
  }

  async #withDatabase<T>(folder: string, use: (database: StateDatabase) => Promise<T>): Promise<T> {
    const database = await this.#openDatabase(folder)
    try {
      return await use(database)
    } finally {
      await database.close()
    }
  }
}

async function* entriesOf(view: StateView): AsyncGenerator<readonly StateEntry[], void> {
  for await (const group of view.entries(allValues, groupSize)) {
    yield group.map(([name, value]) => ({ kind: 'value', key: keyOfValue(name), value }))
  }
  for await (const group of view.entries(allTimers, groupSize)) {
    yield group.map(([name]) => ({ kind: 'timer', timer: timerOf(name) }))
  }
}
