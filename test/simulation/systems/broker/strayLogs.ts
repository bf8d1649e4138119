// What an operator does about the logs of topics that were deleted while their data directory could
// not be used: the broker ignores them, and says that their directories are to be moved away before
// a topic of the name can be created again.

import type { SimulatedHost } from '../../world/simulatedHost.ts'

const ignored = 'the log of a topic that is not in the metadata is ignored'

export class StrayLogs {
  /** Names of partition directories. */
  readonly #names = new Set<string>()

  get isEmpty(): boolean {
    return this.#names.size === 0
  }

  /** Reads the log of a broker. */
  note(fields: object, message: string): void {
    if (message !== ignored) return
    const { topic, partition } = fields as { topic: string; partition: number }
    this.#names.add(`${topic}-${partition}`)
  }

  /** Only while no broker runs on the host. */
  remove({ disk: { memory } }: SimulatedHost, dataDirectories: readonly string[]): void {
    for (const name of this.#names) {
      for (const directory of dataDirectories) {
        const path = `${directory}/${name}`
        if (memory.exists(path)) void memory.remove(path)
      }
    }
    this.#names.clear()
  }
}
