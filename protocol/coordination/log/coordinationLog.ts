// The contract of a coordination log: one totally ordered sequence of entries, appended to
// conditionally, with snapshots that replace its beginning. Everything above it is the same for
// each implementation: levelLog.ts (embedded), portLog.ts (worker threads of the owner),
// natsLog.ts (JetStream), memoryLog.ts (tests and the simulator). Each one passes
// test/protocol/coordination/log/coordinationLogConformance.ts.
//
// A log stores bytes and knows nothing of what they mean. chain.ts frames an entry with the digest
// of its predecessor and checks it; member.ts appends and folds.

/** Identifies a log through all its life; a repaired log has the next generation and a new id. */
export interface LogIdentity {
  /** Counts from 1; a repair raises it. Part of every zxid, which never decreases therefore. */
  readonly generation: number
  /** A random UUID, as text. */
  readonly id: string
}

export interface LogEntry {
  /** Counts from 1, without gaps. */
  readonly sequence: number
  readonly bytes: Uint8Array
}

export interface LogSnapshot {
  /** The last entry whose effects the snapshot has. */
  readonly sequence: number
  readonly bytes: Uint8Array
}

export interface LogHistory {
  readonly identity: LogIdentity
  readonly snapshot: LogSnapshot | undefined
  /** All entries after the snapshot, in order; entries before it may be left out. */
  readonly entries: readonly LogEntry[]
  /** Sequence of the last entry; that of the snapshot, or 0, if there is none. */
  readonly lastSequence: number
}

/** `conflict`: the log has another entry at that sequence, and always will. */
export type AppendOutcome = 'appended' | 'conflict'

/** Where a member stands, to be compared by all others. */
export interface LogPosition {
  readonly id: string
  readonly sequence: number
  /** Digest of the entry at `sequence` (chain.ts), as hex. */
  readonly digest: string
  /** Who claims it, for messages. */
  readonly member: string
}

export interface LogListener {
  /** Every durable entry after the subscription's start, once and in order. */
  onEntry(entry: LogEntry): void
  /**
   * The entries after the last delivered one were replaced by a snapshot before they could be
   * delivered. Deliveries continue after the snapshot.
   */
  onSnapshot(snapshot: LogSnapshot): void
  /** The log is a different one from now on: created anew under us, or repaired. */
  onIdentity(identity: LogIdentity, lastSequence: number): void
  /** The log's end is before an entry that was delivered: entries were lost. */
  onLost(lastSequence: number): void
  /** The log can be reached again, or not any more. */
  onReachable(isReachable: boolean): void
}

export interface CoordinationLog {
  /** Creates the log if it does not exist. Rejects while the log cannot be reached. */
  load(): Promise<LogHistory>
  /**
   * Appends the entry if the last one has the sequence before it. Resolves with `appended` when the
   * entry is durable at `sequence`, with `conflict` when it never will be. After a rejection the
   * outcome is unknown: the entry may also be appended later, until another one is. Calls of one
   * member do not overlap.
   */
  append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome>
  /**
   * Delivers what is appended after `sequence`, which was loaded or read before. Continues by
   * itself when the log was unreachable, but not after `onIdentity`. Returns a function that ends
   * the subscription.
   */
  subscribe(sequence: number, listener: LogListener): () => void
  /**
   * Returns the entries after `sequence`, including each whose append has resolved. Rejects while
   * the log cannot be reached, and when entries after `sequence` are only in a snapshot (then the
   * subscription delivers that). For resolving an unknown outcome.
   */
  read(sequence: number): Promise<readonly LogEntry[]>
  /**
   * Stores a snapshot durably, then removes entries before it; some may be kept for members that
   * are a little behind. No effect if a newer snapshot exists.
   */
  writeSnapshot(snapshot: LogSnapshot): Promise<void>
  /** Tells all members of the log where this one stands. Best effort: may be lost, or late. */
  claim(position: LogPosition): void
  /** Receives the claims of other members. Returns a function that ends it. */
  onClaim(listener: (position: LogPosition) => void): () => void
  /** Whether others than this member can append: then sessions need heartbeats. */
  readonly isShared: boolean
  /**
   * Whether a rejected append may still take effect after a `read` that did not return its entry,
   * as a message on its way to a server may. False for the owner of an embedded log.
   */
  readonly appliesLate: boolean
  close(): Promise<void>
}
