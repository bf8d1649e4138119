// Makes the batches written to a segment survive a crash, by the flush policy: through a journal
// that many partitions share, by syncing the segment, or, with `os`, not at all until the system
// writes its cache. Invariant: the journal is told before written bytes are removed, because it
// would restore them after a crash.

import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import type { CommitJournal } from '../journal/commitJournal.ts'
import type { FlushPolicy } from '../logConfig.ts'
import { isPassing, writeFailed } from '../logError.ts'
import type { SyncFigures } from '../logFigures.ts'
import type { PartitionLogOptions } from '../partitionLogOptions.ts'
import { endOfBatches } from '../segment/batchWalk.ts'
import type { Segment } from '../segment/segment.ts'

export interface Durability {
  /**
   * Appends whole batches to the segment; resolves when they are durable by the policy. Fails with
   * the error of the disk when they cannot be written, and with a LogError when they cannot be made
   * durable for a reason other than a shortage: the content of the disk is unknown then.
   */
  append(segment: Segment, chunks: readonly Buffer[]): Promise<void>
  /** Call before later segments, and this one from `position` on, are removed. */
  beforeCut(baseOffset: number, position: number): Promise<void>
  /** Call before synced segments, up to this one, are replaced. */
  beforeReplace(baseOffset: number): Promise<void>
}

/** From this size on a sync of the segment costs less than writing the bytes twice. */
const journaledBytes = 4 * 1024 * 1024

const nothing: Omit<Durability, 'append'> = {
  beforeCut: async () => {},
  beforeReplace: async () => {},
}

const leftToTheSystem: Durability = {
  ...nothing,
  append: (segment, chunks) => segment.append(chunks),
}

/**
 * `name` is that of the partition's directory, which identifies its entries in the journal.
 * `failed` is called when acknowledged records cannot be synced later: the log must accept no more
 * writes.
 */
export function durabilityOf(
  flush: FlushPolicy,
  name: string,
  { journal, figures }: Pick<PartitionLogOptions, 'journal' | 'figures'>,
  failed: (cause: unknown) => void,
): Durability {
  if (flush === 'os') return leftToTheSystem
  const syncs = figures?.segment
  if (journal) return journaled(name, journal, syncs, failed)
  return { ...nothing, append: (segment, chunks) => appendSynced(segment, chunks, syncs) }
}

function journaled(
  name: string,
  journal: CommitJournal,
  syncs: SyncFigures | undefined,
  failed: (cause: unknown) => void,
): Durability {
  return {
    append(segment, chunks) {
      if (totalBytes(chunks) > journaledBytes) return appendSynced(segment, chunks, syncs)
      segment.journalFailed = failed
      return appendJournaled(segment, chunks, name, journal)
    },
    beforeCut: (baseOffset, position) => journal.cut(name, baseOffset, position),
    beforeReplace: (baseOffset) => journal.settle(name, baseOffset),
  }
}

async function appendSynced(
  segment: Segment,
  chunks: readonly Buffer[],
  syncs: SyncFigures | undefined,
): Promise<void> {
  await segment.append(chunks)
  if (syncs) await syncs.measure(totalBytes(chunks), chunks.length, () => segment.sync())
  else await segment.sync()
}

/**
 * Writes the batches to the journal and stages them in memory, to be written to the segment with
 * later ones. If they cannot be staged, writes to the segment and to the journal concurrently. The
 * append fails if either write fails, although the other may restore it after a crash, as with any
 * failed write.
 */
async function appendJournaled(
  segment: Segment,
  chunks: readonly Buffer[],
  name: string,
  journal: CommitJournal,
): Promise<void> {
  const position = segment.sizeBytes
  const endOffset = endOfBatches(chunks.at(-1)!)
  const isStaged = segment.stage(chunks)
  const [written, committed] = await Promise.allSettled([
    isStaged ? undefined : segment.append(chunks),
    journal.commit({ name, segment, position, endOffset, chunks }),
  ])
  if (written.status === 'rejected') throw written.reason
  if (committed.status === 'rejected') {
    // A write that found no space has synced nothing that could be lost: it can be cut off and
    // retried.
    const { reason } = committed
    throw isPassing(reason) ? reason : writeFailed(segment.path, reason)
  }
  if (isStaged) segment.accept(chunks)
}
