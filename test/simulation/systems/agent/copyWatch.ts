// Which copies of files an agent can recognize (decision 21): of a file of which some was read
// before the copy began, whose copy had all that the agent had read of it, by an agent that nothing
// disturbs meanwhile. Lines of other copies may arrive twice.

import type { LineLedger } from './lineLedger.ts'
import type { Copy } from './logFiles.ts'

/** How long a copy needs an agent that nothing disturbs, before it begins and after its end. */
const calmMs = 2500

export class CopyWatch {
  readonly #ledger: LineLedger
  readonly #channels: number
  /** Copies, and whether the agent had read any of the original before. */
  readonly #copies: { readonly copy: Copy; readonly isRead: boolean }[] = []
  readonly #disturbed: number[] = []

  constructor(ledger: LineLedger, channels: number) {
    this.#ledger = ledger
    this.#channels = channels
  }

  /** Something disturbs the agent, or stops disturbing it, at this time. */
  disturbed(atMs: number): void {
    this.#disturbed.push(atMs)
  }

  begins(copy: Copy): void {
    this.#copies.push({ copy, isRead: this.#ledger.isKnown(copy.before, this.#channels) })
  }

  judge(): void {
    for (const { copy, isRead } of this.#copies) {
      const { lines, sinceMs, truncatedMs, isWhole } = copy
      const untilMs = (truncatedMs ?? sinceMs) + calmMs
      const isCalm = !this.#disturbed.some((ms) => sinceMs - calmMs < ms && ms < untilMs)
      if (isCalm && isRead && isWhole) continue
      this.#ledger.mayRepeat(lines, 'of a copy that cannot be recognized')
    }
  }
}
