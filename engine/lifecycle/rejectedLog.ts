// Logs the rejected records of a job: the first ones with their errors, and later, when they
// continue, their number at growing intervals.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { RejectedRecords } from '../sources/rejectedRecords.ts'

/** Records logged individually since the process started. */
const loggedOneByOne = 20

export class RejectedLog {
  readonly #logger: Logger
  readonly #job: string
  #total = 0
  #logged = 0
  /** The total at which the next summary is due. */
  #nextLine = 0

  constructor(logger: Logger, job: string) {
    this.#logger = logger
    this.#job = job
  }

  add(batchId: number, rejected: RejectedRecords): void {
    for (const { topic, partition, offset, error, onError } of rejected.first) {
      if (this.#logged === loggedOneByOne) break
      this.#logged++
      const place = { job: this.#job, batchId, topic, partition, offset }
      const what =
        onError === 'skip' ? 'skipped' : `sent to dead letter topic ${onError.deadLetter}`
      this.#logger.warn({ ...place, error }, `rejected a record: ${what}`)
    }
    this.#total += rejected.total
    if (this.#total < this.#nextLine || this.#total <= this.#logged) return
    const counts = Object.fromEntries(rejected.counts)
    const fields = { job: this.#job, batchId, counts, total: this.#total }
    this.#logger.warn(fields, 'rejected records; logged again when the total has doubled')
    this.#nextLine = this.#total * 2
  }
}
