// The latest status of each program of one kind, bounded in number and in age.

import type { Status } from '../../../protocol/telemetry/status/status.ts'

/** A program without a report for this long is silent. Programs report every second. */
export const silentAfterMs = 5_000
/** A report later than this leaves a gap: the last rate is outdated. */
export const lateAfterMs = 2_500
/** A stopped program is removed after this time, which bounds the board. */
export const forgottenAfterMs = 10 * 60_000
/** A failed or silent program is kept for as long as the status topic keeps its status. */
export const missedAfterMs = 24 * 60 * 60_000
/** A program tries to deliver a report for half of this time: afterwards it will not arrive. */
const mostLateMs = 10_000
/**
 * Most agents, and most jobs, on the board; beyond it, the one with the oldest report is removed.
 */
export const mostPrograms = 1_000

/** Natural order of names: `web-2` before `web-10`. */
export const byName = new Intl.Collator('en', { numeric: true })

export interface Heard<S extends Status> {
  readonly status: S
  readonly heardMs: number
}

/**
 * Largest difference between the clocks of a program's host and of the console that is accepted.
 */
const mostClockDifferenceMs = 2_000

/** When a report was made, by the console's clock; errs towards too early. */
export function reportedMs({ status, heardMs }: Heard<Status>): number {
  const earliest = heardMs - mostClockDifferenceMs
  return status.timeMs <= heardMs ? Math.max(status.timeMs, earliest) : earliest
}

export class Programs<S extends Status, H extends Heard<S>> {
  readonly #byId = new Map<string, H>()

  get(id: string): H | undefined {
    return this.#byId.get(id)
  }

  /**
   * Whether `status` is newer than the known one: a report that is late is not. One that is much
   * older is newer again: the clock of its host was set back.
   */
  isNews(status: S): boolean {
    const known = this.#byId.get(status.id)
    const olderMs = known === undefined ? 0 : known.status.timeMs - status.timeMs
    return olderMs <= 0 || olderMs > mostLateMs
  }

  set(heard: H): void {
    const { id } = heard.status
    // Deleted first, so that the map is ordered by last report.
    this.#byId.delete(id)
    if (this.#byId.size >= mostPrograms) this.#byId.delete(this.#byId.keys().next().value!)
    this.#byId.set(id, heard)
  }

  delete(id: string): void {
    this.#byId.delete(id)
  }

  forget(nowMs: number): void {
    for (const [id, heard] of this.#byId) {
      const { status, heardMs } = heard
      const keptMs = status.state === 'stopped' ? forgottenAfterMs : missedAfterMs
      if (nowMs - heardMs >= keptMs) this.#byId.delete(id)
      // The clock was set back: the age of the report restarts.
      else if (heardMs > nowMs) this.#byId.set(id, { ...heard, heardMs: nowMs })
    }
  }

  /** Sorted by id, so that no entry moves when others appear or disappear. */
  sorted(): H[] {
    return [...this.#byId.values()].sort((a, b) => byName.compare(a.status.id, b.status.id))
  }
}
