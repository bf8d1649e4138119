// Millrace's own routes below /api/v1, one file each, in topics/, records/ (browse, tail, delete),
// groups/ (lag, resets) and programs/ (agents, jobs, status). Besides routes, records/ has the
// reading of records (recordBrowser.ts, recordTail.ts, recordRange.ts, shownRecord.ts) and groups/
// has committedLag.ts and offsetReset.ts. Must never use anything of the broker but the client.

import type { AdminRoute } from '../adminRoute.ts'
import { deleteGroup } from './groups/deleteGroup.ts'
import { deleteGroupOffsets } from './groups/deleteGroupOffsets.ts'
import { getGroup } from './groups/getGroup.ts'
import { getGroupOffsets } from './groups/getGroupOffsets.ts'
import { listGroups } from './groups/listGroups.ts'
import { resetGroupOffsets } from './groups/resetGroupOffsets.ts'
import { getAgent, listAgents } from './programs/agents.ts'
import { getStatus } from './programs/getStatus.ts'
import { getJob, listJobs } from './programs/jobs.ts'
import { browseRecords } from './records/browseRecords.ts'
import { deleteRecords } from './records/deleteRecords.ts'
import { getRecord } from './records/getRecord.ts'
import { tailRecords } from './records/tailRecords.ts'
import { getTopic } from './topics/getTopic.ts'
import { listTopics } from './topics/listTopics.ts'

export const v1Routes: readonly AdminRoute[] = [
  listTopics,
  getTopic,
  browseRecords,
  getRecord,
  tailRecords,
  deleteRecords,
  listGroups,
  getGroup,
  deleteGroup,
  getGroupOffsets,
  resetGroupOffsets,
  deleteGroupOffsets,
  listAgents,
  getAgent,
  listJobs,
  getJob,
  getStatus,
]
