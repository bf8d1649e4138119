// Points in the code at which something rare can be forced to happen, as FoundationDB's BUGGIFY
// does: what is legal at any time, but so seldom by itself that a simulator would hardly reach the
// states behind it. Production forces nothing.
//
// Contract: what a point forces is correct at any time. It changes when, how often or in what
// portions something is done, or what a client has to repeat, and never a result. Asking costs one
// call.

/** Every point, with what happens when it is forced. */
export const rarePoints = {
  // The log.
  'group of one': 'A group commit writes a single item, although more are pending.',
  'segment rolled': 'An append starts a new segment, although the active one has room.',
  'journal file full': 'The commit journal changes to its other file, although this one has room.',
  'staged bytes written': 'Staged bytes are written to their segment at once.',
  'segment file closed': 'The least recently used segment file is closed, and opened again later.',
  'resting log recovered': 'A log that was closed cleanly is recovered as if it had not been.',
  'log maintenance late': 'A checkpoint, a retention check or a check of the disk is left out.',
  'log compacted': 'A log is compacted, although hardly anything in it is dirty.',
  'append refused': 'An append of a client is refused for now, and nothing of it is stored.',
  'log closed twice': 'The files of a log are closed twice while they are read.',
  // Metadata.
  'metadata snapshot': 'The metadata log is replaced by a snapshot after an entry.',
  'coordination snapshot': 'The coordination log is replaced by a snapshot after an entry.',
  // The agent.
  'positions noted late': 'A source writes its position file later, as if a write had failed.',
  // Groups and transactions.
  'coordinator loaded in small reads': 'A coordinator reads its partition batch by batch.',
  'transaction marker late': 'A transaction marker is written a while after its transaction ended.',
  'transaction marker refused': 'A transaction marker cannot be written for now.',
  'verification late': 'A verified append waits a while before it is passed to the log.',
  'offsets reported late': 'Offsets of a transaction are durable a while before that is known.',
  // Connections and clients.
  'connection lost': 'A connection is closed right after an answer was queued.',
  'fetch answered early': 'A fetch is answered before it has the bytes that it asked for.',
  'fetch session evicted': 'A fetch session does not exist any more when it is used.',
  'metadata forgotten': 'A client requests metadata again, although it knows the leader.',
  'batch of one record': 'A producer sends each record in a batch of its own.',
  // The system below.
  'timer late': 'A timer fires a while after it is due.',
  'sync slow': 'A sync takes a hundred times as long.',
} as const

export type RarePoint = keyof typeof rarePoints

export interface RarePoints {
  /** Whether the rare happens now. Asked each time, at the place where it would happen. */
  isForced(point: RarePoint): boolean
}

/** The points of production: nothing is ever forced. */
export const noRarePoints: RarePoints = { isForced: () => false }
