// The durable steps of a run: each change of the disk, of a state and of a sink, in the order in which
// they happened. A kill is planned for one of them, and takes place before or after its effect.

/** A change of the disk, of a state or of a sink: where a kill of the driver makes a difference. */
export interface DurableStep {
  /** Counts from 0 over the whole test, restarts included. */
  readonly step: number
  /** `write offsets`, `commit counts/1`, `sink put`. */
  readonly what: string
}

export interface PlannedKill {
  readonly atStep: number
  /** Whether the step takes effect before the driver dies. */
  readonly write: 'lost' | 'kept'
  /** A process that is killed leaves what the system has not yet written; a power failure does not. */
  readonly loses: 'process' | 'power'
}

export class DurableSteps {
  readonly taken: DurableStep[] = []
  #kills: PlannedKill[] = []

  plan(kill: PlannedKill): void {
    this.#kills.push(kill)
  }

  /** Drops kills that have not taken place. */
  forget(): void {
    this.#kills = []
  }

  /** Notes the step. The kill that is planned for it, if one is. */
  take(what: string): PlannedKill | undefined {
    const step = this.taken.length
    this.taken.push({ step, what })
    const at = this.#kills.findIndex(({ atStep }) => atStep === step)
    return at === -1 ? undefined : this.#kills.splice(at, 1)[0]
  }
}
