// What deleting the beginning of a log answers: the words between the log and its callers.

export interface DeleteRecordsResult {
  /** Kafka's error code: 0, OFFSET_OUT_OF_RANGE or KAFKA_STORAGE_ERROR. */
  readonly errorCode: number
  /** The first offset that is still there; -1 when there is an error. */
  readonly lowWatermark: number
}
