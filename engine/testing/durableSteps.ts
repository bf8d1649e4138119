// The durable steps of a test run: each change of the disk, of a state and of a sink, in order. A
// kill is planned for one of them, and happens before or after its effect.

/**
 * A change of the disk, of a state or of a sink: a point where a kill of the driver makes a
 * difference.
 */
export interface DurableStep {
  /** Counts from 0 over the whole test, including restarts. */
  readonly step: number
  /** For example `write offsets`, `commit counts/1`, `sink put`. */
  readonly what: string
}

export interface PlannedKill {
  readonly atStep: number
  /** Whether the step takes effect before the driver dies. */
  readonly write: 'lost' | 'kept'
  /**
   * A killed process leaves writes that are not synced yet to the system; a power failure loses
   * them.
   */
  readonly loses: 'process' | 'power'
}

export class DurableSteps {
  readonly taken: DurableStep[] = []
  #kills: PlannedKill[] = []

  plan(kill: PlannedKill): void {
    this.#kills.push(kill)
  }

  /** Drops kills that have not happened. */
  forget(): void {
    this.#kills = []
  }

  /** Records the step. Returns the kill planned for it, if any. */
  take(what: string): PlannedKill | undefined {
    const step = this.taken.length
    this.taken.push({ step, what })
    const at = this.#kills.findIndex(({ atStep }) => atStep === step)
    return at === -1 ? undefined : this.#kills.splice(at, 1)[0]
  }
}
