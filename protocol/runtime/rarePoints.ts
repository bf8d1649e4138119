// Points in the code at which something rare can be forced to happen, as FoundationDB's BUGGIFY
// does: what is legal at any time, but so seldom by itself that a simulator would hardly reach the
// states behind it. Production forces nothing.
//
// Contract: whatever a point does must be correct at any time, and must not depend on who asked
// before. A point costs one call. It must never change a result, only when, how often or in what
// portions the same thing is done.

/** Every point, with what it does when it is forced. */
export const rarePoints = {
  'checkpoint at once': 'The recovery points of a data directory are written after each append.',
  'group of one': 'A group commit writes a single item, although more are pending.',
} as const

export type RarePoint = keyof typeof rarePoints

export interface RarePoints {
  /** Whether the rare happens now. Asked each time, at the place where it would happen. */
  isForced(point: RarePoint): boolean
}

/** The points of production: nothing is ever forced. */
export const noRarePoints: RarePoints = { isForced: () => false }
