// The metadata log of a single node, in a LevelDB of its own. Commands lie under `c` and their
// sequence number, the snapshot under `s`, the number after it under `n`; one synced batch moves between them.
//
// LevelDB must not be written to after a write has failed: a record that was written in part makes the ones
// after it unreadable, though they were acknowledged. So it is closed, and opened again when it is next
// needed, which reads what of the last write survived and makes that durable.

import { dirname } from 'node:path'
import { Level } from 'level'
import { assert } from '../../protocol/runtime/assert.ts'
import { directoryProblem } from '../../protocol/runtime/directoryProblem.ts'
import { DirectoryInUseError } from '../../protocol/runtime/disk.ts'
import { systemErrorOf } from '../../protocol/runtime/levelError.ts'
import { BrokerError } from '../errors.ts'
import { isOutOfSpace, isShortage } from '../log/logError.ts'
import type { MetadataHistory, MetadataLog } from './metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from './metadataState.ts'

const snapshotKey = 's'
/** Missing in logs from before sequence numbers outlived a snapshot. */
const nextSequenceKey = 'n'
const commandKey = (sequence: number) => `c${String(sequence).padStart(16, '0')}`

export interface LevelMetadataLogOptions {
  /** A folder inside the data folder. */
  readonly directory: string
  /** Makes room for a write that found none; resolves with false when no room could be made. */
  readonly makeRoom: () => Promise<boolean>
}

class LevelMetadataLog implements MetadataLog {
  readonly #options: LevelMetadataLogOptions
  /** Undefined from a failed write until it is opened again. */
  #level: Level<string, string> | undefined
  #firstSequence = 0

  constructor(options: LevelMetadataLogOptions, level: Level<string, string>) {
    this.#options = options
    this.#level = level
  }

  async load(): Promise<MetadataHistory> {
    const level = await this.#usable()
    const snapshot = await level.get(snapshotKey)
    const counted = Number((await level.get(nextSequenceKey)) ?? 0)
    const found = await this.#commandsFrom(level, 0)
    this.#firstSequence = found[0]?.sequence ?? counted
    const last = found.at(-1)
    return {
      snapshot: snapshot === undefined ? undefined : this.#parse<MetadataSnapshot>('s', snapshot),
      commands: found.map(({ command }) => command),
      nextSequence: last === undefined ? counted : last.sequence + 1,
    }
  }

  async append(sequence: number, command: MetadataCommand): Promise<void> {
    await this.#write((level) =>
      level.put(commandKey(sequence), JSON.stringify(command), { sync: true }),
    )
  }

  async read(sequence: number): Promise<readonly MetadataCommand[]> {
    const found = await this.#commandsFrom(await this.#usable(), sequence)
    return found.map(({ command }) => command)
  }

  async compact(sequence: number, snapshot: MetadataSnapshot): Promise<void> {
    await this.#write(async (level) => {
      const batch = level.batch().put(snapshotKey, JSON.stringify(snapshot))
      batch.put(nextSequenceKey, String(sequence))
      for (let each = this.#firstSequence; each < sequence; each++) batch.del(commandKey(each))
      await batch.write({ sync: true })
    })
    this.#firstSequence = sequence
  }

  async close(): Promise<void> {
    await this.#level?.close()
  }

  async #commandsFrom(level: Level<string, string>, sequence: number) {
    const found: { readonly sequence: number; readonly command: MetadataCommand }[] = []
    for await (const [key, value] of level.iterator({ gte: commandKey(sequence), lt: 'd' })) {
      const command = this.#parse<MetadataCommand>(key, value)
      found.push({ sequence: Number(key.slice(1)), command })
    }
    return found
  }

  async #write(write: (level: Level<string, string>) => Promise<void>): Promise<void> {
    const level = await this.#usable()
    try {
      await write(level)
    } catch (error) {
      this.#level = undefined
      await level.close().catch(() => {})
      const cause = systemErrorOf(error)
      if (isOutOfSpace(cause)) await this.#options.makeRoom()
      throw cause
    }
  }

  async #usable(): Promise<Level<string, string>> {
    this.#level ??= await openLevel(this.#options)
    return this.#level
  }

  #parse<T>(key: string, value: string): T {
    try {
      return JSON.parse(value) as T
    } catch (cause) {
      throw new BrokerError(
        'METADATA_CORRUPT',
        `${this.#options.directory}: the entry ${key} is damaged; restore the folder from a backup`,
        cause,
      )
    }
  }
}

/** Opens or creates the log. Throws a DirectoryInUseError for the data folder when another process has it. */
export async function openLevelMetadataLog(options: LevelMetadataLogOptions): Promise<MetadataLog> {
  try {
    return new LevelMetadataLog(options, await openLevel(options))
  } catch (error) {
    throw openingError(options.directory, error)
  }
}

/** Throws the system's error, or what `level` says. */
async function openLevel(options: LevelMetadataLogOptions): Promise<Level<string, string>> {
  try {
    return await openOnce(options.directory)
  } catch (error) {
    // Opening writes files anew: on a full disk there is no room even for those.
    if (!isOutOfSpace(error) || !(await options.makeRoom())) throw error
    return await openOnce(options.directory)
  }
}

async function openOnce(directory: string): Promise<Level<string, string>> {
  const level = new Level<string, string>(directory)
  try {
    await level.open()
    assert(level.status === 'open', 'a database that was opened is open')
    return level
  } catch (error) {
    throw systemErrorOf(error)
  }
}

function openingError(directory: string, error: unknown): Error {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') {
    return new DirectoryInUseError(dirname(directory), error)
  }
  if (isShortage(error)) {
    return new BrokerError(
      'METADATA_UNAVAILABLE',
      `${directory} cannot be opened (${(error as Error).message}): free some room on the disk, or raise ` +
        'the limit of open files, and start again',
      error,
    )
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(cause?.code ?? '')) {
    return directoryProblem('write to', dirname(directory), cause) as Error
  }
  return new BrokerError(
    'METADATA_CORRUPT',
    `${directory} cannot be opened (${cause?.message ?? String(error)}): check its permissions, or restore it from a backup`,
    error,
  )
}
