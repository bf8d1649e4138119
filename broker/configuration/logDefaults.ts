// The part of the table of broker options (brokerOptions.ts) that is about logs. Most of them are
// the default of a topic config (topicOptions.ts), and may change while the broker runs.

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
  restricted,
  withoutEffect,
} from './configOption.ts'

/** Kafka's lower limit of log.segment.bytes. Tests go below it with `internal.segment.bytes`. */
export const smallestSegmentBytes = 1_048_576

/** As in Kafka: with fewer keys in the map, compacting a log would take too many rounds. */
const smallestDedupeBytes = 1_048_576

const flushDecides = '`flush` says when appends are synced'

const cleanupPolicies = ['compact', 'delete']

export const logDefaults = {
  'message.max.bytes': dynamic(
    integer(1_048_588, 0, int32Max, 'Maximum size of a record batch, in bytes.'),
  ),
  'compression.type': dynamic(
    choice(
      ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
      'producer',
      'Compression of record batches in the log; producer keeps the codec of the producer.',
    ),
  ),
  'compression.gzip.level': dynamic(
    restricted(
      integer(
        -1,
        -1,
        9,
        'Compression level when the broker compresses with gzip; -1 is the default of gzip.',
      ),
      '1 to 9, or -1',
      (level) => level !== 0,
    ),
  ),
  'compression.lz4.level': dynamic(
    withoutEffect((doc) => integer(9, 1, 17, doc), 'lz4 is compressed at one level here'),
  ),
  'compression.zstd.level': dynamic(
    integer(3, -131_072, 22, 'Compression level when the broker compresses with zstd.'),
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
    optionalInteger(
      1,
      int64Max,
      'Age at which a segment is rolled, in ms. Default: log.roll.hours.',
    ),
  ),
  'log.roll.hours': integer(168, 1, int32Max, 'Age at which a segment is rolled, in hours.'),
  'log.roll.jitter.ms': dynamic(
    optionalInteger(
      0,
      int64Max,
      'Maximum random reduction of log.roll.ms, in ms, so that logs do not roll at the same time. Default: log.roll.jitter.hours.',
    ),
  ),
  'log.roll.jitter.hours': integer(
    0,
    0,
    int32Max,
    'Maximum random reduction of log.roll.hours, in hours.',
  ),
  'log.index.interval.bytes': dynamic(
    integer(4096, 0, int32Max, 'Minimum bytes of log between two index entries.'),
  ),
  'log.index.size.max.bytes': dynamic(
    integer(
      10_485_760,
      4,
      int32Max,
      'Maximum size of an index of a segment, in bytes; a full index rolls the segment.',
    ),
  ),
  'log.preallocate': dynamic(
    withoutEffect((doc) => boolean(false, doc), 'segments grow as they are written'),
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
      'How long records are kept, in ms; -1 forever. Default: log.retention.minutes.',
    ),
  ),
  'log.retention.minutes': optionalInteger(
    -1,
    int32Max,
    'How long records are kept, in minutes; -1 forever. Default: log.retention.hours.',
  ),
  'log.retention.hours': integer(
    168,
    -1,
    int32Max,
    'How long records are kept, in hours; -1 forever.',
  ),
  'log.retention.bytes': dynamic(
    integer(-1, -1, int64Max, 'Maximum size of the log of a partition, in bytes; -1: no limit.'),
  ),
  'log.cleanup.policy': dynamic(
    list(
      'delete',
      'compact or delete, or both',
      (element) => cleanupPolicies.includes(element),
      'How old records are removed: delete removes whole segments, compact keeps the last record of each key.',
    ),
  ),
  'log.cleaner.enable': boolean(
    true,
    'Whether logs with the cleanup policy compact are compacted.',
  ),
  'log.cleaner.backoff.ms': dynamic(
    integer(
      15_000,
      0,
      int64Max,
      'How long the cleaner sleeps when no log is dirty enough to be compacted, in ms.',
    ),
  ),
  'log.cleaner.dedupe.buffer.size': dynamic(
    integer(
      134_217_728,
      smallestDedupeBytes,
      int32Max,
      'Maximum memory for the map of keys while a log is compacted, in bytes.',
    ),
  ),
  'log.cleaner.io.buffer.size': dynamic(
    integer(524_288, 1024, int32Max, 'Size of the I/O buffers of the cleaner, in bytes.'),
  ),
  'log.cleaner.io.max.bytes.per.second': dynamic(
    double(
      Number.MAX_VALUE,
      1,
      Number.MAX_VALUE,
      'Maximum rate at which the cleaner reads and writes, in bytes per second.',
    ),
  ),
  'log.cleaner.delete.retention.ms': dynamic(
    integer(
      86_400_000,
      0,
      int64Max,
      'How long tombstones stay readable in a compacted log, in ms.',
    ),
  ),
  'log.cleaner.min.cleanable.ratio': dynamic(
    double(
      0.5,
      0,
      1,
      'Minimum fraction of a log that is not compacted yet before it is compacted.',
    ),
  ),
  'log.cleaner.min.compaction.lag.ms': dynamic(
    integer(0, 0, int64Max, 'Minimum age of records before they are compacted, in ms.'),
  ),
  'log.cleaner.max.compaction.lag.ms': dynamic(
    integer(
      int64Max,
      1,
      int64Max,
      'Maximum age of records that are not compacted, in ms; older records make the log eligible.',
    ),
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
    'Delay after the start before the first check for segments to delete, in ms.',
  ),
  'log.flush.offset.checkpoint.interval.ms': integer(
    60_000,
    1,
    int32Max,
    'Interval between checkpoints of the recovery points of logs, in ms; a restart reads only records above them.',
  ),
  'log.dir.reserved.bytes': integer(
    67_108_864,
    0,
    int64Max,
    'Minimum free bytes on the disk of a data directory; below it, produces to the directory are refused. A quarter of it, at most 16 MiB, is reserved in a file, which is removed when a full disk would prevent topics or records from being deleted.',
  ),
  'log.segment.delete.delay.ms': dynamic(
    integer(60_000, 0, int64Max, 'Delay before the files of a removed segment are deleted, in ms.'),
  ),
  'log.message.timestamp.type': dynamic(
    choice(
      ['CreateTime', 'LogAppendTime'],
      'CreateTime',
      'Whether the timestamp of a record is set by its producer (CreateTime) or by the broker (LogAppendTime).',
    ),
  ),
  'log.message.timestamp.before.max.ms': dynamic(
    integer(int64Max, 0, int64Max, 'How far in the past the timestamp of a record may be, in ms.'),
  ),
  'log.message.timestamp.after.max.ms': dynamic(
    integer(
      3_600_000,
      0,
      int64Max,
      'How far in the future the timestamp of a record may be, in ms.',
    ),
  ),
  'min.insync.replicas': dynamic(
    integer(1, 1, int32Max, 'Minimum number of in-sync replicas for a produce with acks=all.'),
  ),
  'unclean.leader.election.enable': dynamic(
    boolean(
      false,
      'Whether a replica that is not in sync may become leader, which loses acknowledged records.',
    ),
  ),
} as const
