// Logs records that a job leaves out: the first ones with what failed, and later, of a topic that goes on
// failing, now and then how many there were.

import type { Logger } from '../protocol/telemetry/logger.ts'
import type { RejectedRecords } from './sources/rejectedRecords.ts'

/** Records that are logged one by one, since the process started. */
const loggedOneByOne = 20

export class RejectedLog {
  readonly #logger: Logger
  readonly #job: string
  #total = 0
  #logged = 0
  /** The total at which the next line is due. */
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
      const what = onError === 'skip' ? 'left out' : `left out, and goes to ${onError.deadLetter}`
      this.#logger.warn({ ...place, error }, `a record is ${what}`)
    }
    this.#total += rejected.total
    if (this.#total < this.#nextLine || this.#total <= this.#logged) return
    const counts = Object.fromEntries(rejected.counts)
    const fields = { job: this.#job, batchId, counts, total: this.#total }
    this.#logger.warn(fields, 'records were left out; logged again when there are twice as many')
    this.#nextLine = this.#total * 2
  }
}
