// The storage of a broker under test: the disk and the metadata log, in memory or in a directory.
// Both outlive a restart of the broker, and a full disk refuses changes of the metadata as well.

import { MemoryDisk } from '../../protocol/runtime/memoryDisk.ts'
import { nodeDisk } from '../../protocol/runtime/nodeDisk.ts'
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

/** The directory is `log.dir` of the broker's configuration. */
export function folderStorage(): Storage {
  const disk = new LimitedDisk(nodeDisk)
  return {
    disk,
    async openMetadataLog(options) {
      return limitedMetadataLog(await openLevelMetadataLog(options), disk, options.makeRoom)
    },
  }
}

/** Like levelMetadataLog.ts: a write that finds no space frees some, and fails. */
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
