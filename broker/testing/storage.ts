// The state of a test broker that survives a restart: its disk and its metadata, in memory or in a
// directory. Both can be full: a full disk refuses metadata changes too.

import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import {
  type LevelMetadataLogOptions,
  openLevelMetadataLog,
} from '../controller/metadata/levelMetadataLog.ts'
import { MemoryMetadataLog } from '../controller/metadata/memoryMetadataLog.ts'
import type { MetadataLog } from '../controller/metadata/metadataLog.ts'
import { LimitedDisk, noSpace } from './limitedDisk.ts'

export interface Storage {
  readonly disk: LimitedDisk
  readonly openMetadataLog: (options: LevelMetadataLogOptions) => Promise<MetadataLog>
}

export function memoryStorage(sizeBytes: number, nowMs: () => number): Storage {
  const disk = new LimitedDisk(new MemoryDisk({ canCrash: false, nowMs }), sizeBytes)
  const log = new MemoryMetadataLog()
  return {
    disk,
    openMetadataLog: async ({ makeRoom }) => limitedMetadataLog(log, disk, makeRoom),
  }
}

/** The directory is the one of the broker's configuration. */
export function directoryStorage(): Storage {
  const disk = new LimitedDisk(nodeDisk)
  return {
    disk,
    async openMetadataLog(options) {
      return limitedMetadataLog(await openLevelMetadataLog(options), disk, options.makeRoom)
    },
  }
}

/** Like levelMetadataLog.ts: a write on a full disk fails, and frees space for the next one. */
function limitedMetadataLog(
  log: MetadataLog,
  disk: LimitedDisk,
  makeRoom: () => Promise<boolean>,
): MetadataLog {
  const needRoom = async () => {
    if (disk.hasRoom) return
    await makeRoom()
    throw noSpace('write', 'the metadata log')
  }
  return {
    load: () => log.load(),
    async append(sequence, entry) {
      await needRoom()
      return await log.append(sequence, entry)
    },
    subscribe: (sequence, listener) => log.subscribe(sequence, listener),
    read: (sequence) => log.read(sequence),
    async compact(sequence, snapshot) {
      await needRoom()
      await log.compact(sequence, snapshot)
    },
    close: () => log.close(),
  }
}
