// The metadata log of a single node, in a LevelDB of its own. Commands lie under `c` and their
// sequence number, the snapshot under `s`; one synced batch moves between the two.

import { dirname } from 'node:path'
import { Level } from 'level'
import { DirectoryInUseError } from '../../protocol/runtime/disk.ts'
import { BrokerError } from '../errors.ts'
import type { MetadataHistory, MetadataLog } from './metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from './metadataState.ts'

const snapshotKey = 's'
const commandKey = (sequence: number) => `c${String(sequence).padStart(16, '0')}`

class LevelMetadataLog implements MetadataLog {
  readonly #level: Level<string, string>
  readonly #directory: string
  #firstSequence = 0
  #nextSequence = 0

  constructor(level: Level<string, string>, directory: string) {
    this.#level = level
    this.#directory = directory
  }

  async load(): Promise<MetadataHistory> {
    const snapshot = await this.#level.get(snapshotKey)
    const commands: MetadataCommand[] = []
    for await (const [key, value] of this.#level.iterator({ gte: 'c', lt: 'd' })) {
      const sequence = Number(key.slice(1))
      if (commands.length === 0) this.#firstSequence = sequence
      this.#nextSequence = sequence + 1
      commands.push(this.#parse<MetadataCommand>(key, value))
    }
    return {
      snapshot: snapshot === undefined ? undefined : this.#parse<MetadataSnapshot>('s', snapshot),
      commands,
    }
  }

  async append(command: MetadataCommand): Promise<void> {
    const sequence = this.#nextSequence++
    await this.#level.put(commandKey(sequence), JSON.stringify(command), { sync: true })
  }

  async compact(snapshot: MetadataSnapshot): Promise<void> {
    const batch = this.#level.batch().put(snapshotKey, JSON.stringify(snapshot))
    for (let sequence = this.#firstSequence; sequence < this.#nextSequence; sequence++) {
      batch.del(commandKey(sequence))
    }
    await batch.write({ sync: true })
    this.#firstSequence = this.#nextSequence
  }

  close(): Promise<void> {
    return this.#level.close()
  }

  #parse<T>(key: string, value: string): T {
    try {
      return JSON.parse(value) as T
    } catch (cause) {
      throw new BrokerError(
        'METADATA_CORRUPT',
        `${this.#directory}: the entry ${key} is damaged; restore the folder from a backup`,
        cause,
      )
    }
  }
}

/**
 * Opens or creates the log in `directory`, a folder inside the data folder. Throws a
 * DirectoryInUseError for the data folder when another process has it.
 */
export async function openLevelMetadataLog(directory: string): Promise<MetadataLog> {
  const level = new Level<string, string>(directory)
  try {
    await level.open()
  } catch (error) {
    throw openingError(directory, error)
  }
  return new LevelMetadataLog(level, directory)
}

function openingError(directory: string, error: unknown): Error {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') {
    return new DirectoryInUseError(dirname(directory), error)
  }
  return new BrokerError(
    'METADATA_CORRUPT',
    `${directory} cannot be opened (${cause?.message ?? String(error)}): check its permissions, or restore it from a backup`,
    error,
  )
}
