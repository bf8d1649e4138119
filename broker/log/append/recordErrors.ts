// Collects the invalid records of a batch into one refusal. Names a bounded number of them.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type RecordError, type Refusal, refuse } from './refusal.ts'

/** Further errors are only counted: a batch may have millions of records. */
const mostRecordErrors = 1000
const shownRecordErrors = 3

export class RecordErrors {
  readonly #errors: RecordError[] = []
  #count = 0
  #errorCode: number = ErrorCode.none

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** The error code of the first invalid record is that of the batch, as in Kafka. */
  add(batchIndex: number, message: string, errorCode: number = ErrorCode.invalidRecord): void {
    if (this.#count++ === 0) this.#errorCode = errorCode
    if (this.#errors.length === mostRecordErrors) return
    this.#errors.push({ batchIndex, batchIndexErrorMessage: message })
  }

  refusal(): Refusal {
    const shown = this.#errors
      .slice(0, shownRecordErrors)
      .map(({ batchIndex, batchIndexErrorMessage }) => `${batchIndex}: ${batchIndexErrorMessage}`)
    const more = this.#count > shown.length ? ', ...' : ''
    const message = `${this.#count} of the records are refused (${shown.join(', ')}${more})`
    return refuse(this.#errorCode, message, this.#errors)
  }
}
