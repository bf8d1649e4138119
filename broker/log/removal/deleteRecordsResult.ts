// The result of deleting the start of a log. No behaviour.

export interface DeleteRecordsResult {
  /** Kafka's error code: 0, OFFSET_OUT_OF_RANGE or KAFKA_STORAGE_ERROR. */
  readonly errorCode: number
  /** The log start offset; -1 with an error. */
  readonly lowWatermark: number
}
