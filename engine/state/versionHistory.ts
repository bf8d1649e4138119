// Which versions of a state can be reached, and how: the decisions of StateStore without its I/O.
// A version is the id of the batch that made it. Each kept undo leads from its version to the one
// before. Ids may have gaps: a batch that had nothing for this partition makes no version.

/** The version of a state to which nothing has been committed. */
export const noVersion = -1

/** That undoing `version` leads to `previous`. */
export interface UndoLink {
  readonly version: number
  readonly previous: number
}

export type BeginPlan =
  /** The newest versions to undo, newest first; none when the state is where the batch starts. */
  | { readonly kind: 'start'; readonly undo: readonly number[]; readonly version: number }
  /** The undos that lead there are gone. */
  | { readonly kind: 'unreachable'; readonly oldestBatchId: number }

export class VersionHistory {
  readonly version: number
  /** From the newest to the oldest. Each begins where the one before it leads. */
  readonly #links: readonly UndoLink[]

  /** `links` in any order; throws nothing, `isConsistent` tells. */
  constructor(version: number, links: readonly UndoLink[]) {
    this.version = version
    this.#links = [...links].sort((a, b) => b.version - a.version)
  }

  /** The undos that are kept, from the newest to the oldest. */
  get links(): readonly UndoLink[] {
    return this.#links
  }

  /** Whether the undos form one chain down from the version, as commits leave them. */
  isConsistent(): boolean {
    let version = this.version
    for (const link of this.#links) {
      if (link.version !== version || link.previous >= link.version) return false
      version = link.previous
    }
    return this.version >= noVersion
  }

  /** How to get to the state that batch `batchId` starts from: the newest version before it. */
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

  /** What it is after the undos of a plan. */
  rolledBack(undone: readonly number[]): VersionHistory {
    const links = this.#links.filter((link) => !undone.includes(link.version))
    const last = this.#links.find((link) => link.version === undone.at(-1))
    return new VersionHistory(last === undefined ? this.version : last.previous, links)
  }

  /** What it is after `batchId` was committed, and which undos exceed `keep` then. */
  committed(batchId: number, keep: number): { history: VersionHistory; forget: number[] } {
    const links = [{ version: batchId, previous: this.version }, ...this.#links]
    const forget = links.slice(keep).map((link) => link.version)
    return { history: new VersionHistory(batchId, links.slice(0, keep)), forget }
  }
}
