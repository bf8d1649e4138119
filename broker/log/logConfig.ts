// What can be set for a log. Names are Kafka's topic configuration in camelCase; the broker's
// properties file is parsed elsewhere (broker/configuration.ts), never here.

/** When an append is answered: `group` once synced together with others, `os` once written. */
export type FlushPolicy = 'group' | 'os'

export interface LogConfig {
  /** segment.bytes: a segment never grows over this. */
  readonly segmentBytes: number
  /** segment.ms (log.roll.ms): how far record timestamps may spread inside one segment. */
  readonly segmentMs: number
  /** segment.index.bytes: a segment is rolled when one of its indexes reaches this. */
  readonly segmentIndexBytes: number
  /** index.interval.bytes: how many bytes of log lie between two index entries, at least. */
  readonly indexIntervalBytes: number
  /** max.message.bytes: the largest record batch accepted from a client. */
  readonly maxMessageBytes: number
  /** message.timestamp.type */
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  /** producer.id.expiration.ms: how long an idle producer's sequence numbers are remembered. */
  readonly producerIdExpirationMs: number
  readonly flush: FlushPolicy
  /** Bytes appended and not yet written at which further appends wait. */
  readonly maxPendingBytes: number
}

export const defaultLogConfig: LogConfig = {
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * 24 * 60 * 60 * 1000,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  maxMessageBytes: 1024 * 1024 + 12,
  messageTimestampType: 'CreateTime',
  producerIdExpirationMs: 24 * 60 * 60 * 1000,
  flush: 'group',
  maxPendingBytes: 32 * 1024 * 1024,
}
