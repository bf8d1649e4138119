// The metadata of a broker whose coordination was embedded until now, to be moved into that of a
// cluster.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import { CoordinatedMetadataLog } from './coordinatedMetadataLog.ts'
import type { OtherMetadata } from './metadataLog.ts'
import { readRoot, rootOperations } from './metadataTree.ts'

export interface EmbeddedLocation {
  readonly name: string
  /** Directory of the embedded coordination; it need not exist. */
  readonly directory: string
  readonly disk: Disk
  readonly random: Random
  readonly open: () => Promise<Coordination>
  /** Where the metadata are moved, for the message of a broker that starts on the directory. */
  readonly movedTo: string
}

export function embeddedMetadata(location: EmbeddedLocation): OtherMetadata {
  const { name, directory, disk, random, open, movedTo } = location
  return {
    name,
    async read() {
      if ((await disk.stat(directory)) === undefined) return undefined
      const coordination = await open()
      const onGap = (reason: Error) => {
        throw reason
      }
      const log = new CoordinatedMetadataLog({ coordination, random, isShared: false, onGap })
      try {
        const root = readRoot(coordination)
        if (root === undefined || root.content.movedTo !== undefined) return undefined
        return await log.load()
      } finally {
        await log.close()
      }
    },
    async retire() {
      const coordination = await open()
      try {
        const { content, version } = readRoot(coordination)!
        await coordination.transact(rootOperations({ ...content, movedTo }, version))
      } finally {
        await coordination.close()
      }
    },
  }
}
