// What can be set for a log. Names are Kafka's topic configuration in camelCase; the broker's
// properties file is parsed elsewhere (broker/configuration), never here.

/** When an append is answered: `group` once synced together with others, `os` once written. */
export type FlushPolicy = 'group' | 'os'

/** cleanup.policy: what becomes of old records. With neither, a log only grows. */
export interface CleanupPolicy {
  /** Whole segments go when the log is too old or too large. */
  readonly delete: boolean
  /** Of each key the last record stays. */
  readonly compact: boolean
}

/** compression.type: `producer` keeps batches as they come. */
export type LogCompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** compression.<codec>.level: used when the log compresses a batch itself. */
export interface CompressionLevels {
  readonly gzip: number
  readonly lz4: number
  readonly zstd: number
}

export interface LogConfig {
  /** segment.bytes: a segment never grows over this. */
  readonly segmentBytes: number
  /** segment.ms (log.roll.ms): how far record timestamps may spread inside one segment. */
  readonly segmentMs: number
  /**
   * segment.jitter.ms: so much at most is taken off segment.ms, so that logs do not roll together.
   */
  readonly segmentJitterMs: number
  /** segment.index.bytes: a segment is rolled when one of its indexes reaches this. */
  readonly segmentIndexBytes: number
  /** index.interval.bytes: how many bytes of log lie between two index entries, at least. */
  readonly indexIntervalBytes: number
  /** max.message.bytes: the largest record batch accepted from a client. */
  readonly maxMessageBytes: number
  /** message.timestamp.type */
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  /** message.timestamp.before.max.ms: how far in the past a record's timestamp may lie. */
  readonly messageTimestampBeforeMaxMs: number
  /** message.timestamp.after.max.ms: how far in the future a record's timestamp may lie. */
  readonly messageTimestampAfterMaxMs: number
  readonly compressionType: LogCompressionType
  readonly compressionLevels: CompressionLevels
  readonly cleanupPolicy: CleanupPolicy
  /** retention.ms: segments whose newest record is older are deleted; -1 keeps them. */
  readonly retentionMs: number
  /** retention.bytes: the oldest segments beyond this are deleted; -1 keeps them. */
  readonly retentionBytes: number
  /** delete.retention.ms: how long the tombstones of a compacted log can be seen. */
  readonly deleteRetentionMs: number
  /** min.cleanable.dirty.ratio: what part of the log must be new before it is compacted. */
  readonly minCleanableDirtyRatio: number
  /** min.compaction.lag.ms: younger records are not compacted. */
  readonly minCompactionLagMs: number
  /** max.compaction.lag.ms: older records make the log be compacted. */
  readonly maxCompactionLagMs: number
  /** file.delete.delay.ms: how long the files of a segment that was taken out still lie there. */
  readonly fileDeleteDelayMs: number
  /** producer.id.expiration.ms: how long an idle producer's sequence numbers are remembered. */
  readonly producerIdExpirationMs: number
  /** transaction.partition.verification.enable: see transactionVerification.ts. */
  readonly transactionVerification: boolean
  readonly flush: FlushPolicy
  /** Bytes appended and not yet written at which further appends wait. */
  readonly maxPendingBytes: number
}

const dayMs = 24 * 60 * 60 * 1000
/** Kafka's Long.MAX_VALUE, for which "never" is near enough. */
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
