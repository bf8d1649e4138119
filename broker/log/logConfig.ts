// The configuration of a log. Names are those of Kafka's topic configs in camelCase. Parsed in
// broker/configuration, never here.

/** When an append is answered: `group` once it is synced with others, `os` once it is written. */
export type FlushPolicy = 'group' | 'os'

/** cleanup.policy: how old records are removed. With neither policy, a log only grows. */
export interface CleanupPolicy {
  /** Whole segments are deleted when the log is too old or too large. */
  readonly delete: boolean
  /** The last record of each key is kept. */
  readonly compact: boolean
}

/** compression.type: `producer` keeps batches as they are. */
export type LogCompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** compression.<codec>.level: used when the log recompresses a batch. */
export interface CompressionLevels {
  readonly gzip: number
  readonly lz4: number
  readonly zstd: number
}

export interface LogConfig {
  /** segment.bytes: limit on the size of a segment. */
  readonly segmentBytes: number
  /** segment.ms (log.roll.ms): limit on the spread of record timestamps in a segment. */
  readonly segmentMs: number
  /**
   * segment.jitter.ms: limit on the random time subtracted from segment.ms, so that logs do not
   * roll together.
   */
  readonly segmentJitterMs: number
  /** segment.index.bytes: a new segment is started when an index reaches this size. */
  readonly segmentIndexBytes: number
  /** index.interval.bytes: least number of bytes of the log between two index entries. */
  readonly indexIntervalBytes: number
  /** max.message.bytes: the largest record batch accepted from a client. */
  readonly maxMessageBytes: number
  /** message.timestamp.type */
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  /** message.timestamp.before.max.ms: limit on how far a record's timestamp lies in the past. */
  readonly messageTimestampBeforeMaxMs: number
  /** message.timestamp.after.max.ms: limit on how far a record's timestamp lies in the future. */
  readonly messageTimestampAfterMaxMs: number
  readonly compressionType: LogCompressionType
  readonly compressionLevels: CompressionLevels
  readonly cleanupPolicy: CleanupPolicy
  /** retention.ms: segments whose newest record is older are deleted; -1 disables this. */
  readonly retentionMs: number
  /** retention.bytes: the oldest segments beyond this size are deleted; -1 disables this. */
  readonly retentionBytes: number
  /** delete.retention.ms: how long tombstones stay in a compacted log. */
  readonly deleteRetentionMs: number
  /** min.cleanable.dirty.ratio: part of the log that must be new before it is compacted. */
  readonly minCleanableDirtyRatio: number
  /** min.compaction.lag.ms: younger records are not compacted. */
  readonly minCompactionLagMs: number
  /** max.compaction.lag.ms: a log with older records that are not compacted is due. */
  readonly maxCompactionLagMs: number
  /** file.delete.delay.ms: delay before the files of a removed segment are deleted. */
  readonly fileDeleteDelayMs: number
  /** producer.id.expiration.ms: how long an idle producer's sequence numbers are remembered. */
  readonly producerIdExpirationMs: number
  /** transaction.partition.verification.enable: see transactionVerification.ts. */
  readonly transactionVerification: boolean
  readonly flush: FlushPolicy
  /** Limit on the bytes appended and not yet written; further appends are held. */
  readonly maxPendingBytes: number
}

const dayMs = 24 * 60 * 60 * 1000
/** Stands for Kafka's Long.MAX_VALUE: never. */
const forever = Number.MAX_SAFE_INTEGER

export const defaultLogConfig: LogConfig = {
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * dayMs,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  maxMessageBytes: 1024 * 1024 + 12,
  messageTimestampType: 'CreateTime',
  messageTimestampBeforeMaxMs: forever,
  messageTimestampAfterMaxMs: 60 * 60 * 1000,
  compressionType: 'producer',
  compressionLevels: { gzip: -1, lz4: 9, zstd: 3 },
  cleanupPolicy: { delete: true, compact: false },
  retentionMs: 7 * dayMs,
  retentionBytes: -1,
  deleteRetentionMs: dayMs,
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: forever,
  fileDeleteDelayMs: 60_000,
  producerIdExpirationMs: dayMs,
  transactionVerification: true,
  flush: 'group',
  maxPendingBytes: 32 * 1024 * 1024,
}
