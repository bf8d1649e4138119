// The real StateDatabase: a store in LevelDB whose failures are errors of the state, with the
// directory and what to do.

import { type KeyValueStore, StoreInUseError } from '../../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../../protocol/runtime/store/levelStore.ts'
import type { DatabaseEntry, StateDatabase, StateReader } from './stateDatabase.ts'
import { StateError } from './stateError.ts'

/**
 * Creates the database when there is none. `openStore`: LevelDB, unless a simulator has another.
 */
export async function openLevelStateDatabase(
  directory: string,
  openStore: (directory: string) => Promise<KeyValueStore> = openLevelStore,
): Promise<StateDatabase> {
  const store = await openStore(directory).catch((error: unknown) => {
    throw openingError(directory, error)
  })
  return {
    ...readerOf(directory, store),
    write: (changes) => store.write(changes),
    snapshot: () => {
      const snapshot = store.snapshot()
      return { ...readerOf(directory, snapshot), close: () => snapshot.close() }
    },
    close: () => store.close(),
  }
}

function readerOf(directory: string, reader: StateReader): StateReader {
  return {
    getMany: (keys) => reader.getMany(keys).catch((error: unknown) => failedRead(directory, error)),
    async *entries(range, atOnce): AsyncGenerator<readonly DatabaseEntry[], void> {
      try {
        yield* reader.entries(range, atOnce)
      } catch (error) {
        failedRead(directory, error)
      }
    },
  }
}

function failedRead(directory: string, error: unknown): never {
  const message = `cannot read the state in ${directory}: ${(error as Error).message}`
  throw new StateError('STATE_FAILED', message, error)
}

function openingError(directory: string, error: unknown): StateError {
  if (error instanceof StoreInUseError) {
    const message = `the state in ${directory} is in use; stop the job that has it open first`
    return new StateError('STATE_IN_USE', message, error)
  }
  const { message: reason } = innermost(error as Error)
  return new StateError('STATE_DAMAGED', `cannot open the state in ${directory}: ${reason}`, error)
}

/** Returns the innermost cause: the others only say that the database could not be opened. */
function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error
}
