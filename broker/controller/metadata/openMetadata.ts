// Opens the metadata log on coordination, and moves the metadata of an earlier release into the
// tree. The move can be cut off at any place: it is made again until the root of the metadata
// exists, and the earlier log is retired until that is noted.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { OpenKeyValueStore } from '../../../protocol/runtime/store/keyValueStore.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { BrokerError } from '../../errors.ts'
import { CoordinatedMetadataLog } from './coordinatedMetadataLog.ts'
import { importMetadata } from './metadataImport.ts'
import type { MetadataLog } from './metadataLog.ts'
import { readRoot, rootOperations } from './metadataTree.ts'
import { readReleasedMetadata, retireReleasedMetadata } from './releasedMetadataLog.ts'

export interface OpenMetadataOptions {
  readonly coordination: Coordination
  readonly random: Random
  readonly disk: Disk
  readonly logger: Logger
  readonly openStore: OpenKeyValueStore
  /** Directory of the metadata log of an earlier release; it need not exist. */
  readonly releasedDirectory: string
  readonly onGap: (reason: BrokerError) => void
}

export async function openMetadataLog(options: OpenMetadataOptions): Promise<MetadataLog> {
  const { coordination, random, onGap } = options
  await moveReleased(options)
  return new CoordinatedMetadataLog({ coordination, random, onGap })
}

async function moveReleased(options: OpenMetadataOptions): Promise<void> {
  const { coordination, disk, logger, openStore, releasedDirectory } = options
  const root = readRoot(coordination)
  if (root === undefined) {
    if ((await disk.stat(releasedDirectory)) === undefined) return
    const history = await readReleasedMetadata(releasedDirectory, openStore)
    if (history === undefined) return
    await importMetadata(coordination, history)
    const { nextSequence } = history
    logger.info({ releasedDirectory, nextSequence }, 'metadata moved into coordination')
  } else if (!root.content.isReleasedLogValid) return
  await retireReleasedMetadata(releasedDirectory, openStore)
  const { content, version } = readRoot(coordination)!
  await coordination.transact(rootOperations({ ...content, isReleasedLogValid: false }, version))
}
