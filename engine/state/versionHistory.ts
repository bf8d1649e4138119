// Decides which versions of a state can be restored, and how: StateStore without its I/O. A version
// is the id of the batch that wrote it. Each kept undo record leads from its version to the
// previous one. Ids may have gaps: a batch without changes in this partition creates no version.

/** The version of a state to which nothing was committed. */
export const noVersion = -1

/** Undoing `version` restores `previous`. */
export interface UndoLink {
  readonly version: number
  readonly previous: number
}

export type BeginPlan =
  /** Undo these versions, newest first; none when the state is already where the batch starts. */
  | { readonly kind: 'start'; readonly undo: readonly number[]; readonly version: number }
  /** The undo records needed are no longer kept. */
  | { readonly kind: 'unreachable'; readonly oldestBatchId: number }

export class VersionHistory {
  readonly version: number
  /** Newest first. Each starts where the one before it leads. */
  readonly #links: readonly UndoLink[]

  /** `links` in any order. Does not throw: check `isConsistent`. */
  constructor(version: number, links: readonly UndoLink[]) {
    this.version = version
    this.#links = [...links].sort((a, b) => b.version - a.version)
  }

  /** The kept undo records, newest first. */
  get links(): readonly UndoLink[] {
    return this.#links
  }

  /** Whether the undo records form one chain down from the version, as commits write them. */
  isConsistent(): boolean {
    let version = this.version
    for (const link of this.#links) {
      if (link.version !== version || link.previous >= link.version) return false
      version = link.previous
    }
    return this.version >= noVersion
  }

  /** Plans the way to the state that batch `batchId` starts from: the newest version before it. */
  begin(batchId: number): BeginPlan {
    const undo: number[] = []
    let version = this.version
    for (const link of this.#links) {
      if (version < batchId) break
      undo.push(link.version)
      version = link.previous
    }
    if (version < batchId) return { kind: 'start', undo, version }
    return { kind: 'unreachable', oldestBatchId: version + 1 }
  }

  /** Returns the history after the undos of a plan. */
  rolledBack(undone: readonly number[]): VersionHistory {
    const links = this.#links.filter((link) => !undone.includes(link.version))
    const last = this.#links.find((link) => link.version === undone.at(-1))
    return new VersionHistory(last === undefined ? this.version : last.previous, links)
  }

  /** Returns the history after `batchId` is committed, and the undo records in excess of `keep`. */
  committed(batchId: number, keep: number): { history: VersionHistory; forget: number[] } {
    const links = [{ version: batchId, previous: this.version }, ...this.#links]
    const forget = links.slice(keep).map((link) => link.version)
    return { history: new VersionHistory(batchId, links.slice(0, keep)), forget }
  }
}
