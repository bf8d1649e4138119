// The metadata log of a data directory, on embedded coordination.

import { join } from 'node:path'
import type { MetadataLog } from '../../../../broker/controller/metadata/metadataLog.ts'
import { openMetadataLog } from '../../../../broker/controller/metadata/openMetadata.ts'
import { releasedMetadata } from '../../../../broker/controller/metadata/releasedMetadataLog.ts'
import { openEmbeddedCoordination } from '../../../../protocol/coordination/embeddedCoordination.ts'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'
import { systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import type { OpenKeyValueStore } from '../../../../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../../../../protocol/runtime/store/levelStore.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

/** `data`: the data directory. */
export async function openEmbeddedMetadata(
  data: string,
  openStore: OpenKeyValueStore = openLevelStore,
): Promise<MetadataLog> {
  const logger = new MemoryLogger()
  const random = systemRandom()
  const coordination = await openEmbeddedCoordination({
    ...{ logger, openStore, name: 'a test', makeRoom: async () => false },
    runtime: { clock: systemClock, random, scheduler: systemScheduler },
    directory: join(data, '__coordination'),
  })
  const released = releasedMetadata({
    ...{ name: 'the earlier release', directory: join(data, '__metadata'), disk: nodeDisk },
    openStore,
  })
  try {
    return await openMetadataLog({
      ...{ coordination, random, logger, isShared: false, others: [released] },
      onGap: (error) => {
        throw error
      },
    })
  } catch (error) {
    await coordination.close()
    throw error
  }
}
