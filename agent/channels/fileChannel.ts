// Flume's file channel with Flume's options and a log of our own: what is committed survives a
// crash of the process or the machine, and carries with it where the sources stood and what the
// sinks were about to send. Flume's own channel files are not read.

import { join } from 'node:path'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { type OptionTable, readOptions } from '../configuration/options.ts'
import { FileChannelCounter } from '../monitoring/counters.ts'
import { ChannelState } from './channelState.ts'
import { FileStore, type FileStoreOptions } from './file/fileStore.ts'
import { checkTransactionCapacity } from './memoryChannel.ts'
import { TransactionalChannel } from './transactionalChannel.ts'

const unused = 'accepted for Flume configurations, without effect: '

export const fileChannelOptions = {
  checkpointDir: {
    type: 'string',
    doc: 'locked while the channel is open; ~/.flume/file-channel/checkpoint unless given',
  },
  dataDirs: {
    type: 'string',
    doc: 'directories of the log, separated by commas; ~/.flume/file-channel/data unless given',
  },
  capacity: {
    type: 'integer',
    default: 1_000_000,
    min: 1,
    belowMin: 'default',
    doc: 'events in the channel, at most',
  },
  transactionCapacity: {
    type: 'integer',
    default: 10_000,
    min: 1,
    belowMin: 'default',
    doc: 'events in one transaction, at most; not over capacity',
  },
  'keep-alive': { type: 'integer', default: 3, doc: 'seconds a put waits for room' },
  maxFileSize: {
    type: 'integer',
    default: 128 * 1024 * 1024,
    min: 1024,
    doc: "bytes after which the next log file is begun; smaller than Flume's 2 GB, because a file's space comes back only when all its events are drained",
  },
  minimumRequiredSpace: {
    type: 'integer',
    default: 524_288_000,
    doc: 'bytes that must be free on the file system, or puts fail',
  },
  // A sink that keeps up needs a few batches of it; more costs memory just when the sink is slow, and
  // spares only reads that the system's own cache serves.
  cacheBytes: {
    type: 'integer',
    default: 16 * 1024 * 1024,
    doc: 'bytes of events also kept in memory, beyond which they are read back from the log; not in Flume',
  },
  checkpointInterval: {
    type: 'integer',
    default: 30_000,
    doc: `${unused}the log needs no checkpoint`,
  },
  checkpointOnClose: {
    type: 'boolean',
    default: true,
    doc: `${unused}the log needs no checkpoint`,
  },
  useDualCheckpoints: {
    type: 'boolean',
    default: false,
    doc: `${unused}the log needs no checkpoint`,
  },
  backupCheckpointDir: { type: 'string', doc: `${unused}the log needs no checkpoint` },
  'use-fast-replay': { type: 'boolean', default: false, doc: `${unused}replay is always fast` },
  'use-log-replay-v1': { type: 'boolean', default: false, doc: `${unused}there is one log format` },
  fsyncPerTransaction: { type: 'boolean', default: true, doc: `${unused}transactions share syncs` },
  fsyncInterval: { type: 'integer', default: 5, doc: `${unused}transactions share syncs` },
  compressBackupCheckpoint: {
    type: 'boolean',
    default: false,
    doc: `${unused}the log needs no checkpoint`,
  },
  encryption: {
    type: 'security',
    doc: 'events lie in the data directories in the clear; put those on an encrypted file system, and remove this key',
  },
} as const satisfies OptionTable

export interface FileChannelSurroundings extends Pick<Runtime, 'clock' | 'disk' | 'scheduler'> {
  readonly logger: Logger
  /** Makes a path of the configuration absolute. */
  readonly resolvePath: (path: string) => string
}

export function fileChannel(
  component: ComponentConfiguration,
  { clock, disk, scheduler, logger, resolvePath }: FileChannelSurroundings,
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
    new FileStore({ disk, scheduler }, logger, storeOptions, counter),
    counter,
    clock,
  )
}
