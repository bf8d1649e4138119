// The reason why batches are not appended. A value, not an error: refusals are expected.

/** An invalid record, by its index in the batch as it was sent. */
export interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string
}

export interface Refusal {
  readonly kind: 'refused'
  /** A Kafka error code. */
  readonly errorCode: number
  /** Shown to people by clients that support it. */
  readonly message: string
  /** The invalid records; empty if the refusal concerns the whole batch. */
  readonly recordErrors: readonly RecordError[]
}

export function refuse(
  errorCode: number,
  message: string,
  recordErrors: readonly RecordError[] = [],
): Refusal {
  return { kind: 'refused', errorCode, message, recordErrors }
}
