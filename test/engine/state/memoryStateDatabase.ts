// A StateDatabase in memory whose contents outlive it, as a directory outlives a process, and which
// can be told to crash around a write.

import type { StateChange, StateDatabase } from '../../../engine/state/stateDatabase.ts'

/** What happens to the next write: nothing special, or power fails before or after it is durable. */
export type NextWrite = 'succeeds' | 'is lost' | 'is kept but not acknowledged'

export class MemoryStateDatabase implements StateDatabase {
  /** Shared by those who open the same directory one after another. */
  readonly contents: Map<string, string>
  nextWrite: NextWrite = 'succeeds'
  writes = 0

  constructor(contents: Map<string, string>) {
    this.contents = contents
  }

  async *entries() {
    yield [...this.contents]
  }

  async get(key: string): Promise<string | undefined> {
    return this.contents.get(key)
  }

  async write(changes: readonly StateChange[]): Promise<void> {
    this.writes++
    if (this.nextWrite === 'is lost') throw new Error('power failure')
    for (const change of changes) {
      if (change.type === 'put') this.contents.set(change.key, change.value)
      else this.contents.delete(change.key)
    }
    if (this.nextWrite !== 'succeeds') throw new Error('power failure')
  }

  async close(): Promise<void> {}
}
