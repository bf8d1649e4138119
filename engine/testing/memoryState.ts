// A state database in memory, whose contents outlive the process that has it open.

import type { StateChange, StateDatabase } from '../state/stateDatabase.ts'
import type { TestProcess } from './testWorld.ts'

/** `name` says in the list of durable steps whose state it is. */
export function memoryState(
  contents: Map<string, string>,
  process: TestProcess,
  name: string,
): StateDatabase {
  return {
    async *entries() {
      yield await process.alive(Promise.resolve([...contents]))
    },
    get: (key) => process.alive(Promise.resolve(contents.get(key))),
    write: (changes) => process.durably(`commit ${name}`, () => apply(contents, changes)),
    close: async () => {},
  }
}

function apply(contents: Map<string, string>, changes: readonly StateChange[]): void {
  for (const change of changes) {
    if (change.type === 'put') contents.set(change.key, change.value)
    else contents.delete(change.key)
  }
}
