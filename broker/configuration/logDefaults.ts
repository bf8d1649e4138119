// The broker options that say how logs are kept. Each gives the default of a topic config
// (controller/topicConfiguration.ts), so that nearly all of them may change while the broker runs.

import {
  boolean,
  choice,
  double,
  dynamic,
  int32Max,
  int64Max,
  integer,
  list,
  optionalInteger,
  withoutEffect,
} from './configOption.ts'

/** log.segment.bytes must not be less, as in Kafka 4; tests use `internal.segment.bytes`. */
export const smallestSegmentBytes = 1_048_576

/** As in Kafka: a map of fewer keys would make a round of a log endless. */
const smallestDedupeBytes = 1_048_576

const flushDecides = '`flush` says when appends are synced'

const cleanupPolicies = ['compact', 'delete']

export const logOptions = {
  'message.max.bytes': dynamic(integer(1_048_588, 0, int32Max, 'The largest record batch.')),
  'compression.type': dynamic(
    choice(
      ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
      'producer',
      'How record batches are compressed in the log; producer keeps them as they come.',
    ),
  ),
  'compression.gzip.level': dynamic({
    ...integer(-1, -1, 9, 'The level with which the broker compresses to gzip; -1 is its default.'),
    bounds: '1 to 9, or -1',
    parse: (text) => (/^(-1|[1-9])$/.test(text.trim()) ? Number(text) : undefined),
  }),
  'compression.lz4.level': dynamic(
    withoutEffect((doc) => integer(9, 1, 17, doc), 'lz4 is compressed at one level here'),
  ),
  'compression.zstd.level': dynamic(
    integer(3, -131_072, 22, 'The level with which the broker compresses to zstd.'),
  ),
  'log.segment.bytes': dynamic(
    integer(
      1_073_741_824,
      smallestSegmentBytes,
      int32Max,
      'Size at which a segment is rolled, in bytes.',
    ),
  ),
  'log.roll.ms': dynamic(
    optionalInteger(1, int64Max, 'Age at which a segment is rolled; without it, log.roll.hours.'),
  ),
  'log.roll.hours': integer(168, 1, int32Max, 'Age at which a segment is rolled.'),
  'log.roll.jitter.ms': dynamic(
    optionalInteger(
      0,
      int64Max,
      'The most that is taken off log.roll.ms, so that logs do not roll together.',
    ),
  ),
  'log.roll.jitter.hours': integer(0, 0, int32Max, 'The same in hours.'),
  'log.index.interval.bytes': dynamic(
    integer(4096, 0, int32Max, 'Bytes of log between index entries.'),
  ),
  'log.index.size.max.bytes': dynamic(
    integer(10_485_760, 4, int32Max, 'The largest index of a segment, in bytes.'),
  ),
  'log.preallocate': dynamic(
    withoutEffect((doc) => boolean(false, doc), 'segments grow as they are written here'),
  ),
  'log.flush.interval.messages': dynamic(
    withoutEffect((doc) => integer(int64Max, 1, int64Max, doc), flushDecides),
  ),
  'log.flush.interval.ms': dynamic(
    withoutEffect((doc) => optionalInteger(0, int64Max, doc), flushDecides),
  ),
  'log.flush.scheduler.interval.ms': withoutEffect(
    (doc) => integer(int64Max, 0, int64Max, doc),
    flushDecides,
  ),
  'log.retention.ms': dynamic(
    optionalInteger(
      -1,
      int64Max,
      'How long records are kept; -1 forever. Without it, log.retention.minutes.',
    ),
  ),
  'log.retention.minutes': optionalInteger(
    -1,
    int32Max,
    'How long records are kept; -1 forever. Without it, log.retention.hours.',
  ),
  'log.retention.hours': integer(168, -1, int32Max, 'How long records are kept; -1 forever.'),
  'log.retention.bytes': dynamic(
    integer(-1, -1, int64Max, 'Bytes kept of a partition; -1 without limit.'),
  ),
  'log.cleanup.policy': dynamic(
    list(
      'delete',
      'compact or delete, or both',
      (element) => cleanupPolicies.includes(element),
      'What becomes of old records: whole segments are deleted, or each key keeps its last record.',
    ),
  ),
  'log.cleaner.enable': boolean(true, 'Whether logs are compacted whose cleanup.policy says so.'),
  'log.cleaner.backoff.ms': dynamic(
    integer(
      15_000,
      0,
      int64Max,
      'How long the cleaner waits when no log is dirty enough to be compacted.',
    ),
  ),
  'log.cleaner.dedupe.buffer.size': dynamic(
    integer(
      134_217_728,
      smallestDedupeBytes,
      int32Max,
      'The most memory for the keys of a log while it is compacted, in bytes.',
    ),
  ),
  'log.cleaner.io.buffer.size': dynamic(
    integer(524_288, 1024, int32Max, 'Memory for what the cleaner reads and writes, in bytes.'),
  ),
  'log.cleaner.io.max.bytes.per.second': dynamic(
    double(
      Number.MAX_VALUE,
      1,
      Number.MAX_VALUE,
      'The cleaner reads and writes no more than this.',
    ),
  ),
  'log.cleaner.delete.retention.ms': dynamic(
    integer(86_400_000, 0, int64Max, 'How long the tombstones of a compacted log can be seen.'),
  ),
  'log.cleaner.min.cleanable.ratio': dynamic(
    double(0.5, 0, 1, 'What part of a log must be new before it is compacted.'),
  ),
  'log.cleaner.min.compaction.lag.ms': dynamic(
    integer(0, 0, int64Max, 'Younger records are not compacted.'),
  ),
  'log.cleaner.max.compaction.lag.ms': dynamic(
    integer(int64Max, 1, int64Max, 'Older records make a log be compacted.'),
  ),
  'log.retention.check.interval.ms': integer(
    300_000,
    1,
    int64Max,
    'Interval between checks for segments to delete, in ms.',
  ),
  'log.initial.task.delay.ms': integer(
    30_000,
    0,
    int64Max,
    'How long after the start that is done for the first time.',
  ),
  'log.flush.offset.checkpoint.interval.ms': integer(
    60_000,
    1,
    int32Max,
    'How often it is noted how much of each log a restart need not look at.',
  ),
  'log.dir.reserved.bytes': integer(
    67_108_864,
    0,
    int64Max,
    'With less than this free on the disk of a data folder, no records are taken for it. A quarter of it, 16 MiB at most, is kept in a file that is removed when a full disk would keep topics or records from being deleted.',
  ),
  'log.segment.delete.delay.ms': dynamic(
    integer(60_000, 0, int64Max, 'How long the files of a removed segment still lie there.'),
  ),
  'log.message.timestamp.type': dynamic(
    choice(['CreateTime', 'LogAppendTime'], 'CreateTime', 'Whose clock stamps records.'),
  ),
  'log.message.timestamp.before.max.ms': dynamic(
    integer(int64Max, 0, int64Max, 'How far in the past the timestamp of a record may lie.'),
  ),
  'log.message.timestamp.after.max.ms': dynamic(
    integer(3_600_000, 0, int64Max, 'How far in the future the timestamp of a record may lie.'),
  ),
  'min.insync.replicas': dynamic(
    integer(1, 1, int32Max, 'Replicas that must have a record before acks=all is answered.'),
  ),
  'unclean.leader.election.enable': dynamic(
    boolean(false, 'Whether a replica that lacks acknowledged records may become the leader.'),
  ),
} as const
