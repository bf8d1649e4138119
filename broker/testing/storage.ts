// The state of a test broker that survives a restart: its disk and its metadata, in memory or in a
// directory. Both can be full: a full disk refuses metadata changes too.

import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import type {
  KeyValueStore,
  OpenKeyValueStore,
} from '../../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../../protocol/runtime/store/levelStore.ts'
import { MemoryStores } from '../../protocol/runtime/store/memoryStore.ts'
import { LimitedDisk, noSpace } from './limitedDisk.ts'

export interface Storage {
  readonly disk: LimitedDisk
  readonly openStore: OpenKeyValueStore
}

export function memoryStorage(sizeBytes: number, nowMs: () => number): Storage {
  const disk = new LimitedDisk(new MemoryDisk({ canCrash: false, nowMs }), sizeBytes)
  return { disk, openStore: limitedStores(new MemoryStores().open, disk) }
}

/** The directory is the one of the broker's configuration. */
export function directoryStorage(): Storage {
  const disk = new LimitedDisk(nodeDisk)
  return { disk, openStore: limitedStores(openLevelStore, disk) }
}

/** Stores whose writes fail while the disk is full. */
function limitedStores(open: OpenKeyValueStore, disk: LimitedDisk): OpenKeyValueStore {
  return async (directory) => {
    const store = await open(directory)
    const limited: KeyValueStore = {
      getMany: (keys) => store.getMany(keys),
      entries: (range, atOnce) => store.entries(range, atOnce),
      async write(changes, options) {
        if (!disk.hasRoom) throw noSpace('write', 'the metadata')
        await store.write(changes, options)
      },
      snapshot: () => store.snapshot(),
      close: () => store.close(),
    }
    return limited
  }
}
