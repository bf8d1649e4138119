// Flume's file channel: Flume's options over a log of its own format (file/). Committed events
// survive a crash of the process or the machine, together with the positions of their sources and
// the prepared takes of their sinks. Flume's channel files are not read.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { type OptionTable, readOptions } from '../configuration/options.ts'
import { FileChannelCounter } from '../monitoring/counters.ts'
import { ChannelState } from './channelState.ts'
import { FileStore, type FileStoreOptions } from './file/fileStore.ts'
import { checkTransactionCapacity } from './memoryChannel.ts'
import { TransactionalChannel } from './transactionalChannel.ts'

const unused = 'Accepted without effect: '

export const fileChannelOptions = {
  checkpointDir: {
    type: 'string',
    doc: 'Directory that is locked while the channel is open; the log needs no checkpoint. Default: ~/.flume/file-channel/checkpoint.',
  },
  dataDirs: {
    type: 'string',
    doc: 'Directories of the log, separated by commas. Default: ~/.flume/file-channel/data.',
  },
  capacity: {
    type: 'integer',
    default: 1_000_000,
    min: 1,
    belowMin: 'default',
    doc: 'Maximum number of events in the channel.',
  },
  transactionCapacity: {
    type: 'integer',
    default: 10_000,
    min: 1,
    belowMin: 'default',
    doc: 'Maximum number of events in one transaction; must not exceed capacity.',
  },
  'keep-alive': {
    type: 'integer',
    default: 3,
    doc: 'Time that a put waits for room in the channel, in seconds.',
  },
  maxFileSize: {
    type: 'integer',
    default: 128 * 1024 * 1024,
    min: 1024,
    doc: "Size after which the next log file is started, in bytes. Smaller than Flume's 2 GB, because a file is deleted only when all its events have been taken.",
  },
  minimumRequiredSpace: {
    type: 'integer',
    default: 524_288_000,
    doc: 'Free space that every data directory needs, in bytes; with less, puts are refused.',
  },
  // A sink that keeps up needs a cache of a few batches. A larger one takes memory when the sink is
  // slow, and saves only reads that the page cache serves.
  cacheBytes: {
    type: 'integer',
    default: 16 * 1024 * 1024,
    doc: 'Size of the cache of put events, in bytes; events that do not fit are read back from the log. Not in Flume.',
  },
  checkpointInterval: {
    type: 'integer',
    default: 30_000,
    doc: `${unused}the log needs no checkpoint.`,
  },
  checkpointOnClose: {
    type: 'boolean',
    default: true,
    doc: `${unused}the log needs no checkpoint.`,
  },
  useDualCheckpoints: {
    type: 'boolean',
    default: false,
    doc: `${unused}the log needs no checkpoint.`,
  },
  backupCheckpointDir: { type: 'string', doc: `${unused}the log needs no checkpoint.` },
  'use-fast-replay': { type: 'boolean', default: false, doc: `${unused}there is one replay.` },
  'use-log-replay-v1': { type: 'boolean', default: false, doc: `${unused}there is one replay.` },
  fsyncPerTransaction: {
    type: 'boolean',
    default: true,
    doc: `${unused}a transaction is always synced; concurrent ones share a sync.`,
  },
  fsyncInterval: {
    type: 'integer',
    default: 5,
    doc: `${unused}a transaction is always synced; concurrent ones share a sync.`,
  },
  compressBackupCheckpoint: {
    type: 'boolean',
    default: false,
    doc: `${unused}the log needs no checkpoint.`,
  },
  encryption: {
    type: 'security',
    doc: 'events are written to the data directories unencrypted; put the directories on an encrypted file system and remove this key',
  },
} as const satisfies OptionTable

export interface FileChannelDependencies {
  readonly clock: Clock
  readonly disk: Disk
  readonly scheduler: Scheduler
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  /** Resolves a path of the configuration to an absolute path. */
  readonly resolvePath: (path: string) => string
}

export function fileChannel(
  component: ComponentConfiguration,
  { clock, disk, scheduler, rarePoints, logger, resolvePath }: FileChannelDependencies,
): TransactionalChannel {
  const options = readOptions(fileChannelOptions, component)
  checkTransactionCapacity(component, options)
  const home = join('~', '.flume', 'file-channel')
  const dataDirs = options.dataDirs?.split(',') ?? [join(home, 'data')]
  const storeOptions: FileStoreOptions = {
    channel: component.name,
    checkpointDirectory: resolvePath(options.checkpointDir ?? join(home, 'checkpoint')),
    dataDirectories: dataDirs.map((directory) => resolvePath(directory.trim())),
    maxFileBytes: options.maxFileSize,
    minimumRequiredBytes: options.minimumRequiredSpace,
    cacheBytes: options.cacheBytes,
  }
  const counter = new FileChannelCounter()
  return new TransactionalChannel(
    {
      name: component.name,
      type: 'file',
      transactionCapacity: options.transactionCapacity,
      keepAliveMs: options['keep-alive'] * 1000,
      byteSlotsOf: () => 0,
    },
    new ChannelState(options.capacity),
    new FileStore({ disk, logger, scheduler, rarePoints }, storeOptions, counter),
    counter,
    clock,
  )
}
