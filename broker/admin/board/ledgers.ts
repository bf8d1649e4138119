// The ledger of each job: read, stored and counted at one moment, so that a missing or doubled line
// shows as a term that does not go away.

import type { ReadLines } from './agentBoard.ts'
import type { JobPosition } from './jobBoard.ts'
import type { JobPicture, LedgerPicture } from './picture.ts'

/** What is known of the records that no known agent has read. */
interface Elsewhere {
  /** The agents that this was found out with. */
  readonly agents: string
  readonly stored: number
  readonly records: number
}

export class Ledgers {
  readonly #elsewhere = new Map<string, Elsewhere>()

  /** One ledger for each job whose positions are known. */
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
   * The most that was ever stored beyond what agents had read: what others wrote stays written. It
   * begins anew with an agent that was not known before, and with a topic that is another one now.
   * While the report of an agent is missing, what it may have read since is not taken for others' for
   * longer than that.
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
