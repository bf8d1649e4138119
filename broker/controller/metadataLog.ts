// The order of metadata commands, kept for good. One node keeps it in `level`; a cluster will keep
// it in the coordination log. Whoever implements this must not reorder or lose an appended command.

import type { MetadataCommand, MetadataSnapshot } from './metadataState.ts'

/** What a log holds when it is opened: the newest snapshot, and the commands after it in order. */
export interface MetadataHistory {
  readonly snapshot: MetadataSnapshot | undefined
  readonly commands: readonly MetadataCommand[]
}

export interface MetadataLog {
  /** Called once, before anything is appended. */
  load(): Promise<MetadataHistory>
  /** Resolves when the command survives a power failure. Calls must not overlap. */
  append(command: MetadataCommand): Promise<void>
  /** Replaces everything appended so far by its outcome, at once or not at all. */
  compact(snapshot: MetadataSnapshot): Promise<void>
  close(): Promise<void>
}
