// Opens the metadata log on coordination, and moves metadata from elsewhere into the tree: of an
// earlier release, or from embedded coordination into that of a cluster.
//
// The move can be cut off at any place. It is made again until the root of the metadata exists;
// then the other metadata are retired, until that is noted in the root. Retired metadata are
// refused by whatever opens them, because they are no longer true.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { BrokerError } from '../../errors.ts'
import { CoordinatedMetadataLog } from './coordinatedMetadataLog.ts'
import { importMetadata } from './metadataImport.ts'
import type { MetadataLog, OtherMetadata } from './metadataLog.ts'
import { readRoot, rootOperations } from './metadataTree.ts'

export interface OpenMetadataOptions {
  readonly coordination: Coordination
  readonly random: Random
  /** Whether coordination is shared with other programs. */
  readonly isShared: boolean
  readonly logger: Logger
  /** The first one that exists is moved into a tree without metadata. */
  readonly others: readonly OtherMetadata[]
  readonly onGap: (reason: BrokerError) => void
}

export async function openMetadataLog(options: OpenMetadataOptions): Promise<MetadataLog> {
  const { coordination, random, isShared, onGap } = options
  await moveOthers(options)
  const movedTo = readRoot(coordination)?.content.movedTo
  if (movedTo !== undefined) throw moved(movedTo)
  return new CoordinatedMetadataLog({ coordination, random, isShared, onGap })
}

async function moveOthers(options: OpenMetadataOptions): Promise<void> {
  const { coordination, others } = options
  if (readRoot(coordination) === undefined) await importFirst(options)
  const root = readRoot(coordination)
  const other = others.find(({ name }) => name === root?.content.toRetire)
  if (root === undefined || other === undefined) return
  await other.retire()
  await coordination.transact(
    rootOperations({ ...root.content, toRetire: undefined }, root.version),
  )
}

async function importFirst({ coordination, others, logger }: OpenMetadataOptions): Promise<void> {
  for (const { name, read } of others) {
    const history = await read()
    if (history === undefined) continue
    await importMetadata(coordination, history, name)
    logger.info({ from: name, entries: history.nextSequence }, 'metadata moved into coordination')
    return
  }
}

function moved(movedTo: string): BrokerError {
  return new BrokerError(
    'METADATA_MOVED',
    `the metadata of this data directory were moved to ${movedTo}: set coordination.nats.servers to ` +
      'it again; what is in the directory is no longer true',
  )
}
