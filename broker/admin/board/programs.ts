// The newest status of each program of one kind, bounded in number and in time.

import type { Status } from '../../../protocol/telemetry/status.ts'

/** A program without a report for so long is shown as silent. Programs report every second. */
export const silentAfterMs = 5_000
/** A report that is later than this leaves a gap: the last rate is no longer the rate of now. */
export const lateAfterMs = 2_500
/** A program that was stopped is forgotten after so long, so that the board does not grow for ever. */
export const forgottenAfterMs = 10 * 60_000
/** One that failed or fell silent stays as long as the status topic would keep its status. */
export const missedAfterMs = 24 * 60 * 60_000
/** A program tries for half as long to deliver a report: it arrives within this time or not at all. */
const mostLateMs = 10_000
/** Most agents, and most jobs, that the board holds; the one with the oldest report makes room. */
export const mostPrograms = 1_000

/** Orders names as people do: `web-2` comes before `web-10`. */
export const byName = new Intl.Collator('en', { numeric: true })

export interface Heard<S extends Status> {
  readonly status: S
  readonly heardMs: number
}

/** The clock of a program's host is believed within this distance of the console's. */
const mostClockDifferenceMs = 2_000

/** When a report was made, by the console's clock; too early rather than too late. */
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
   * Whether `status` is news: an older report that arrives late is not. One that is much older is: the
   * clock of its host was set back.
   */
  isNews(status: S): boolean {
    const known = this.#byId.get(status.id)
    const olderMs = known === undefined ? 0 : known.status.timeMs - status.timeMs
    return olderMs <= 0 || olderMs > mostLateMs
  }

  set(heard: H): void {
    const { id } = heard.status
    // Deleted first, so that the map's order is that of the last report.
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
      // The clock was set back: from now on the report gets older again.
      else if (heardMs > nowMs) this.#byId.set(id, { ...heard, heardMs: nowMs })
    }
  }

  /** In the order of their ids, so that none changes its place while others come and go. */
  sorted(): H[] {
    return [...this.#byId.values()].sort((a, b) => byName.compare(a.status.id, b.status.id))
  }
}
