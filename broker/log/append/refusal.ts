// Why batches are not appended.

/** A record that is refused, by its place in the batch as it was sent. */
export interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string
}

export interface Refusal {
  readonly kind: 'refused'
  /** Kafka's. */
  readonly errorCode: number
  /** For people. */
  readonly message: string
  /** The records at fault; empty when it is the batch as a whole. */
  readonly recordErrors: readonly RecordError[]
}

export function refuse(
  errorCode: number,
  message: string,
  recordErrors: readonly RecordError[] = [],
): Refusal {
  return { kind: 'refused', errorCode, message, recordErrors }
}
