// The ledger of each job: read, stored and counted at one moment, so that a missing or doubled line
// shows as a term that does not go away.

import type { ReadLines } from './agentBoard.ts'
import type { JobPosition } from './jobBoard.ts'
import type { JobPicture, LedgerPicture } from './picture.ts'

/** One ledger for each job whose positions are known. */
export function ledgersOf(
  jobs: readonly JobPicture[],
  positions: ReadonlyMap<string, JobPosition>,
  agents: readonly ReadLines[],
): LedgerPicture[] {
  return jobs.flatMap((job) => {
    const position = positions.get(job.id)
    return position ? ledgerOf(job, position, agents) : []
  })
}

function ledgerOf(
  { name, topics, recordsTotal }: JobPicture,
  { stored, passed }: JobPosition,
  agents: readonly ReadLines[],
): LedgerPicture {
  const feeding = agents.filter(({ topic }) => topics.includes(topic))
  const read = feeding.reduce((sum, { lines }) => sum + lines, 0)
  const inChannels = feeding.reduce((sum, { channelEvents }) => sum + channelEvents, 0)
  // What is in channels is not stored, so that more must have come from elsewhere than the totals say.
  const onTheWay = Math.max(read - stored, inChannels)
  const counted = Math.min(recordsTotal, passed)
  return {
    job: name,
    topics,
    read,
    elsewhere: stored - read + onTheWay,
    onTheWay,
    stored,
    before: passed - counted,
    counted,
    waiting: stored - passed,
  }
}
