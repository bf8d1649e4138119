// What of a broker in a test outlives a restart: its disk and its metadata, in memory or in a folder. Both can be
// full, for a full disk refuses changes of metadata as well.

import { MemoryDisk } from '../../protocol/runtime/memoryDisk.ts'
import { nodeDisk } from '../../protocol/runtime/nodeDisk.ts'
import {
  type LevelMetadataLogOptions,
  openLevelMetadataLog,
} from '../controller/levelMetadataLog.ts'
import { MemoryMetadataLog } from '../controller/memoryMetadataLog.ts'
import type { MetadataLog } from '../controller/metadataLog.ts'
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

/** Its folder is the one of the broker's configuration. */
export function folderStorage(): Storage {
  const disk = new LimitedDisk(nodeDisk)
  return {
    disk,
    async openMetadataLog(options) {
      return limitedMetadataLog(await openLevelMetadataLog(options), disk, options.makeRoom)
    },
  }
}

/** As levelMetadataLog.ts does it: a write that finds no room makes some, and fails. */
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
    async append(sequence, command) {
      await needRoom()
      await log.append(sequence, command)
    },
    read: (sequence) => log.read(sequence),
    async compact(sequence, snapshot) {
      await needRoom()
      await log.compact(sequence, snapshot)
    },
    close: () => log.close(),
  }
}
