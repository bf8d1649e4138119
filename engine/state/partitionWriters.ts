// Writes the entries of an import to the databases of their partitions. Entries may arrive in any
// order of partitions: they are collected in memory, up to a limit. It must never have two
// databases open at once.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { StateChange, StateDatabase } from './stateDatabase.ts'
import type { StateEntry } from './stateEntry.ts'
import { timerKey, valueKey, versionKey } from './stateLayout.ts'
import { StateGrowth } from './stateSize.ts'
import { encodeVersion } from './stateVersion.ts'
import { VersionHistory } from './versionHistory.ts'

const mostBytes = 32 * 1024 * 1024
/** Approximate memory of an entry, beside its key and value. */
const entryBytes = 300

export class PartitionWriters {
  readonly #disk: Disk
  readonly #openDatabase: (directory: string) => Promise<StateDatabase>
  readonly #directory: string
  readonly #gathered: StateChange[][]
  readonly #sizes: readonly StateGrowth[]
  #bytes = 0

  constructor(
    disk: Disk,
    openDatabase: (directory: string) => Promise<StateDatabase>,
    directory: string,
    partitions: number,
  ) {
    this.#disk = disk
    this.#openDatabase = openDatabase
    this.#directory = directory
    this.#gathered = Array.from({ length: partitions }, () => [])
    this.#sizes = Array.from({ length: partitions }, () => new StateGrowth())
  }

  /** Writes nothing until the collected entries reach the limit. */
  async write(partition: number, entry: StateEntry): Promise<void> {
    this.#gathered[partition]!.push(changeOf(entry))
    if (entry.kind === 'value') this.#sizes[partition]!.change(entry.key, null, entry.value)
    const { key, value } = entry.kind === 'value' ? entry : { key: entry.timer.key, value: '' }
    this.#bytes += entryBytes + key.length + value.length
    if (this.#bytes < mostBytes) return
    for (const [at, changes] of this.#gathered.entries()) {
      if (changes.length > 0) await this.#flush(at)
    }
    this.#bytes = 0
  }

  /**
   * Makes all partitions durable, including those without entries, as states of batch `batchId`.
   */
  async finish(batchId: number): Promise<void> {
    const history = new VersionHistory(batchId, [])
    for (const [partition, changes] of this.#gathered.entries()) {
      const value = encodeVersion(history, new Map([[batchId, this.#sizes[partition]!]]))
      changes.push({ type: 'put', key: versionKey, value })
      await this.#flush(partition)
      await this.#disk.syncDirectory(join(this.#directory, String(partition)))
    }
    await this.#disk.syncDirectory(this.#directory)
  }

  async #flush(partition: number): Promise<void> {
    const changes = this.#gathered[partition]!
    this.#gathered[partition] = []
    const directory = join(this.#directory, String(partition))
    await this.#disk.makeDirectory(directory)
    const database = await this.#openDatabase(directory)
    try {
      await database.write(changes)
    } finally {
      await database.close()
    }
  }
}

function changeOf(entry: StateEntry): StateChange {
  return entry.kind === 'value'
    ? { type: 'put', key: valueKey(entry.key), value: entry.value }
    : { type: 'put', key: timerKey(entry.timer), value: new Uint8Array() }
}
