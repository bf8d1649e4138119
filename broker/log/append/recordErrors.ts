// Collects what is wrong with the records of a batch.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type RecordError, type Refusal, refuse } from './refusal.ts'

/** More are not named: a batch may have millions, and nobody reads them. */
const mostRecordErrors = 1000
const shownRecordErrors = 3

export class RecordErrors {
  readonly #errors: RecordError[] = []
  #count = 0
  #errorCode: number = ErrorCode.none

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** The error code of the first record at fault is that of the whole batch, as in Kafka. */
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
