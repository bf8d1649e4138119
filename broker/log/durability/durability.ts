// How what has been written to a segment comes to survive a crash, by the flush policy: with a journal that
// many partitions share, by syncing the segment itself, or not before the system sees to it. It must be told
// before written bytes are taken away again, because a journal would bring them back.

import { totalBytes } from '../../../protocol/bytes/totalBytes.ts'
import type { CommitJournal } from '../journal/commitJournal.ts'
import type { FlushPolicy } from '../logConfig.ts'
import { isPassing, writeFailed } from '../logError.ts'
import type { SyncFigures } from '../logFigures.ts'
import type { PartitionLogOptions } from '../partitionLogOptions.ts'
import { endOfBatches } from '../segment/batchWalk.ts'
import type { Segment } from '../segment/segment.ts'

export interface Durability {
  /**
   * Appends whole batches to the segment; resolves when they are as durable as the policy wants it. Fails
   * with the disk's error when they could not be written, and with a LogError when they could not be made
   * durable for another reason than a shortage: what the disk has of them is then unknown.
   */
  append(segment: Segment, chunks: readonly Buffer[]): Promise<void>
  /** Later segments, and this one from `position` on, are going to be removed. */
  beforeCut(baseOffset: number, position: number): Promise<void>
  /** Segments that are synced, up to this one, are going to be replaced. */
  beforeReplace(baseOffset: number): Promise<void>
}

/** From here on it costs less to sync the segment than to write the bytes twice. */
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
 * `name` is the partition's directory, by which the journal knows its entries. `failed` is called when
 * acknowledged records could not be synced later: the log must take no more writes.
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
 * Into the journal, and into memory to be written into the segment with more of its kind. Where there is
 * no room for that, or much to write, into the segment and the journal at the same time. Where one of
 * them fails the append has failed, though the other may bring it back after a crash, as with any write
 * that fails.
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
    // Without room for a write nothing has been synced that could be lost: it can be cut off and tried again.
    const { reason } = committed
    throw isPassing(reason) ? reason : writeFailed(segment.path, reason)
  }
  if (isStaged) segment.accept(chunks)
}
