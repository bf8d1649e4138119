// Moves state between directories: into and out of savepoints, to another number of partitions, and
// from the format of an earlier release. Entries stay encoded by the operator's codec. No job may
// have the directories open.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { partitionOfGroup } from '../keys/keyGroup.ts'
import { openLevelStateDatabase } from './levelStateDatabase.ts'
import { isOldFormat, oldEntries } from './oldFormat.ts'
import { PartitionWriters } from './partitionWriters.ts'
import type { StateDatabase } from './stateDatabase.ts'
import type { StateChunks, StateEntry } from './stateEntry.ts'
import { allParts, allTimers, allValues, groupOf, keyOfValue, timerOf } from './stateLayout.ts'
import { StateStore } from './stateStore.ts'
import { StateView } from './stateView.ts'
import { noVersion } from './versionHistory.ts'

export interface StateTransferOptions {
  readonly disk: Disk
  /** LevelDB by default. */
  readonly openDatabase?: (directory: string) => Promise<StateDatabase>
}

/** Entries per read; LevelDB also limits their bytes. */
const groupSize = 1000

/** Each directory belongs to one operator, and has a subdirectory per partition. */
export class StateTransfer {
  readonly #disk: Disk
  readonly #openDatabase: (directory: string) => Promise<StateDatabase>

  constructor({ disk, openDatabase = openLevelStateDatabase }: StateTransferOptions) {
    this.#disk = disk
    this.#openDatabase = openDatabase
  }

  /** Whether no batch up to `batchId` has run on the state. */
  async isNew(directory: string, partitions: number, batchId: number): Promise<boolean> {
    for await (const [folder, database] of this.#databases(directory, partitions)) {
      if (await isOldFormat(database)) return false
      if ((await StateView.open(folder, database, batchId)).version !== noVersion) return false
    }
    return true
  }

  /**
   * Yields the entries as of a committed batch, in chunks of bounded size. For each partition: the
   * values by group and key, the parts of keys likewise, then the timers by time. Changes of newer
   * batches are undone in memory. Throws a StateError for a batch that is no longer kept, and for a
   * state of an earlier release that cannot be converted.
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
   * Writes a state with `partitions` partitions, as of a batch, into a directory that must not
   * exist. Durable when this resolves; after a failure the caller removes the directory.
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
   * Undoes the changes of batches after `batchId`. After a crash some partitions may not be undone
   * yet; the next batch that runs on them does it.
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

  /** Yields the directories of the partitions that exist. */
  async *#folders(directory: string, partitions: number): AsyncGenerator<string, void> {
    for (let partition = 0; partition < partitions; partition++) {
      const folder = join(directory, String(partition))
      if ((await this.#disk.stat(folder)) !== undefined) yield folder
    }
  }

  /** Opens one database at a time; each is closed before the next one is opened. */
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
