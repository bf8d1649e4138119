// The order of metadata commands, kept for good. One node keeps it in `level`; a cluster will keep
// it in the coordination log. Whoever implements this must not reorder or lose an appended command.
//
// Commands are numbered, and an append says which number it is for: whoever has not seen all commands before
// it cannot append. A failed append may have written its command all the same; reading on from its number
// says whether it has.

import type { MetadataCommand, MetadataSnapshot } from './metadataState.ts'

/** What a log holds when it is opened: the newest snapshot, and the commands after it in order. */
export interface MetadataHistory {
  readonly snapshot: MetadataSnapshot | undefined
  readonly commands: readonly MetadataCommand[]
  /** The number of the command that follows these. */
  readonly nextSequence: number
}

export interface MetadataLog {
  /** Called once, before anything is appended. */
  load(): Promise<MetadataHistory>
  /**
   * Resolves when the command survives a power failure as number `sequence`, which must be the next one.
   * Calls must not overlap. After a rejection, only `read` says whether the command is in the log.
   */
  append(sequence: number, command: MetadataCommand): Promise<void>
  /**
   * The commands from number `sequence` on, all of which survive a power failure. Rejects with a shortage
   * (logError.ts) when that may be found out later, with anything else when the log cannot be used any more.
   */
  read(sequence: number): Promise<readonly MetadataCommand[]>
  /** Replaces all commands below `sequence` by their outcome, at once or not at all. */
  compact(sequence: number, snapshot: MetadataSnapshot): Promise<void>
  close(): Promise<void>
}
