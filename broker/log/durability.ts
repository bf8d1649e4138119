// How what has been written to a segment comes to survive a crash, by the flush policy: with a journal that
// many partitions share, by syncing the segment itself, or not before the system sees to it. It must be told
// before written bytes are taken away again, because a journal would bring them back.

import type { CommitJournal } from './journal/commitJournal.ts'
import type { FlushPolicy } from './logConfig.ts'
import type { Segment } from './segment.ts'

export interface Durability {
  /** The chunks are all that was written to the segment since the last call, from `position` on. */
  makeStable(segment: Segment, position: number, chunks: readonly Buffer[]): Promise<void>
  /** Later segments, and this one from `position` on, are going to be removed. */
  beforeCut(baseOffset: number, position: number): Promise<void>
  /** Segments that are synced, up to this one, are going to be replaced. */
  beforeReplace(baseOffset: number): Promise<void>
}

/** From here on it costs less to sync the segment than to write the bytes twice. */
const journaledBytes = 256 * 1024

const nothing: Omit<Durability, 'makeStable'> = {
  beforeCut: async () => {},
  beforeReplace: async () => {},
}

const leftToTheSystem: Durability = { ...nothing, makeStable: async () => {} }

const syncedEach: Durability = { ...nothing, makeStable: (segment) => segment.sync() }

/**
 * `name` is the partition's directory, by which the journal knows its entries. `failed` is called when
 * acknowledged records could not be synced later: the log must take no more writes.
 */
export function durabilityOf(
  flush: FlushPolicy,
  name: string,
  journal: CommitJournal | undefined,
  failed: (cause: unknown) => void,
): Durability {
  if (flush === 'os') return leftToTheSystem
  return journal ? journaled(name, journal, failed) : syncedEach
}

function journaled(
  name: string,
  journal: CommitJournal,
  failed: (cause: unknown) => void,
): Durability {
  return {
    makeStable(segment, position, chunks) {
      const { nextOffset: endOffset, sizeBytes } = segment
      if (sizeBytes - position > journaledBytes) return segment.sync()
      segment.journalFailed = failed
      return journal.commit({ name, segment, position, endOffset, chunks })
    },
    beforeCut: (baseOffset, position) => journal.cut(name, baseOffset, position),
    beforeReplace: (baseOffset) => journal.settle(name, baseOffset),
  }
}
