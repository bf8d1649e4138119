// The last reports of agents and jobs by id; the picture keeps only what the console shows.

import type { Status } from '../../../protocol/telemetry/status/status.ts'

/** A status can be 512 KB; beyond this many programs, the one with the oldest report is evicted. */
const mostPrograms = 500

export class ProgramStatuses {
  readonly #statuses = new Map<string, Status>()

  hear(status: Status): void {
    this.#statuses.delete(status.id)
    this.#statuses.set(status.id, status)
    if (this.#statuses.size <= mostPrograms) return
    const [oldest] = this.#statuses.keys()
    this.#statuses.delete(oldest!)
  }

  delete(id: string): void {
    this.#statuses.delete(id)
  }

  get(id: string): Status | undefined {
    return this.#statuses.get(id)
  }
}
