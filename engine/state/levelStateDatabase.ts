// The real StateDatabase: LevelDB, whose batches are atomic and whose directory has one holder.

import { Level } from 'level'
import type { StateChange, StateDatabase } from './stateDatabase.ts'
import { StateError } from './stateError.ts'

const entriesAtOnce = 1000

/** Creates the database when there is none. */
export async function openLevelStateDatabase(directory: string): Promise<StateDatabase> {
  const level = new Level<string, string>(directory)
  try {
    await level.open()
  } catch (error) {
    throw openingError(directory, error)
  }
  return new LevelStateDatabase(level)
}

class LevelStateDatabase implements StateDatabase {
  readonly #level: Level<string, string>

  constructor(level: Level<string, string>) {
    this.#level = level
  }

  async *entries(): AsyncGenerator<[string, string][], void> {
    const iterator = this.#level.iterator()
    try {
      for (;;) {
        const entries = await iterator.nextv(entriesAtOnce)
        if (entries.length === 0) return
        yield entries
      }
    } finally {
      await iterator.close()
    }
  }

  get(key: string): Promise<string | undefined> {
    return this.#level.get(key)
  }

  write(changes: readonly StateChange[]): Promise<void> {
    // Synced: the commit log will say that the batch is done, so its state must be there by then.
    return this.#level.batch([...changes], { sync: true })
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

function openingError(directory: string, error: unknown): StateError {
  const cause = (error as { cause?: unknown }).cause ?? error
  if ((cause as { code?: string }).code === 'LEVEL_LOCKED') {
    const message = `the state in ${directory} is in use: stop the job that has it open first`
    return new StateError('STATE_IN_USE', message, error)
  }
  const reason = (cause as Error).message
  return new StateError('STATE_DAMAGED', `cannot open the state in ${directory}: ${reason}`, error)
}
