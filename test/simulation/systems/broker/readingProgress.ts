// What readers have read, over all of them: which records are visible in each partition, which ones
// each group has polled, and which offsets transactions have committed. Says what is missing in the
// end.

export type Expected = 'committed' | 'unknown'

export class ReadingProgress {
  /** Offsets of the records that followers have seen, by partition. */
  readonly #visible = new Map<string, Set<number>>()
  readonly #polled = new Map<string, Map<string, Set<number>>>()
  /** Offsets that transactions committed for a group, each higher than the one before. */
  readonly #offsets = new Map<string, Map<number, Expected>>()

  get transactionGroups(): readonly string[] {
    return [...this.#offsets.keys()]
  }

  visible(partition: string, offset: number): void {
    const offsets = this.#visible.get(partition) ?? new Set()
    this.#visible.set(partition, offsets.add(offset))
  }

  polled(group: string, partition: string, offset: number): void {
    const ofGroup = this.#polled.get(group) ?? new Map<string, Set<number>>()
    this.#polled.set(group, ofGroup)
    ofGroup.set(partition, (ofGroup.get(partition) ?? new Set()).add(offset))
  }

  offsetOfTransaction(group: string, offset: number, outcome: Expected): void {
    const offsets = this.#offsets.get(group) ?? new Map<number, Expected>()
    this.#offsets.set(group, offsets.set(offset, outcome))
  }

  /** Whether the group has polled the last visible record of each partition. */
  hasReadAll(group: string): boolean {
    return [...this.#visible].every(([partition, offsets]) => {
      const last = Math.max(...offsets)
      return this.#polled.get(group)?.get(partition)?.has(last) ?? offsets.size === 0
    })
  }

  /** Visible records that the group has never polled, up to ten of them. */
  neverPolled(group: string): string[] {
    const missing: string[] = []
    for (const [partition, offsets] of this.#visible) {
      const polled = this.#polled.get(group)?.get(partition)
      for (const offset of offsets) {
        if (missing.length < 10 && !polled?.has(offset)) missing.push(`${partition}@${offset}`)
      }
    }
    return missing
  }

  /** The offsets that the group may have in the end; -1 for none. */
  possibleOffsets(group: string): number[] {
    const offsets = [...(this.#offsets.get(group) ?? [])]
    const lastCommitted = offsets.findLastIndex(([, outcome]) => outcome === 'committed')
    const possible = offsets.slice(Math.max(0, lastCommitted)).map(([offset]) => offset)
    return lastCommitted < 0 ? [-1, ...possible] : possible
  }
}
