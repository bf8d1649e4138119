// The ledger of each job: lines read, stored and counted at one moment. A lost or duplicated line
// shows as a term that does not return to 0.

import type { ReadLines } from './agentBoard.ts'
import type { JobPosition } from './jobBoard.ts'
import type { JobPicture, LedgerPicture } from './picture.ts'

/** Records that no known agent has read. */
interface Elsewhere {
  /** The agents that were known when it was computed. */
  readonly agents: string
  readonly stored: number
  readonly records: number
}

export class Ledgers {
  readonly #elsewhere = new Map<string, Elsewhere>()

  /** Returns one ledger for each job whose positions are known. */
  pictures(
    jobs: readonly JobPicture[],
    positions: ReadonlyMap<string, JobPosition>,
    agents: readonly ReadLines[],
  ): LedgerPicture[] {
    for (const id of this.#elsewhere.keys()) if (!positions.has(id)) this.#elsewhere.delete(id)
    return jobs.flatMap((job) => {
      const position = positions.get(job.id)
      return position ? this.#ledger(job, position, agents) : []
    })
  }

  #ledger(
    { id, name, topics, recordsTotal }: JobPicture,
    { stored, passed }: JobPosition,
    agents: readonly ReadLines[],
  ): LedgerPicture {
    const feeding = agents.filter(({ topic }) => topics.includes(topic))
    const read = feeding.reduce((sum, { lines }) => sum + lines, 0)
    const elsewhere = this.#recordsFromElsewhere(id, stored, read, feeding)
    const counted = Math.min(recordsTotal, passed)
    return {
      job: name,
      topics,
      read,
      elsewhere,
      onTheWay: read + elsewhere - stored,
      stored,
      before: passed - counted,
      counted,
      waiting: stored - passed,
    }
  }

  /**
   * Returns the largest surplus of stored records over lines read by agents: what other producers
   * wrote stays written. Restarts when an agent appears or a topic is recreated. While an agent's
   * report is late, the lines that it may have read meanwhile count as from elsewhere only until
   * the report arrives.
   */
  #recordsFromElsewhere(
    id: string,
    stored: number,
    read: number,
    feeding: readonly ReadLines[],
  ): number {
    const agents = feeding.map(({ agent }) => agent).join('\n')
    const known = this.#elsewhere.get(id)
    const isSame = known !== undefined && known.agents === agents && known.stored <= stored
    const records = Math.max(isSame ? known.records : 0, stored - read)
    if (feeding.every(({ isComplete }) => isComplete)) {
      this.#elsewhere.set(id, { agents, stored, records })
    } else if (!isSame) this.#elsewhere.delete(id)
    return records
  }
}
