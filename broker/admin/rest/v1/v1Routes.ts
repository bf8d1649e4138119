// The routes of our own below /api/v1, one file each.

import type { AdminRoute } from '../adminRoute.ts'
import { deleteGroup } from './groups/deleteGroup.ts'
import { deleteGroupOffsets } from './groups/deleteGroupOffsets.ts'
import { getGroup } from './groups/getGroup.ts'
import { getGroupOffsets } from './groups/getGroupOffsets.ts'
import { listGroups } from './groups/listGroups.ts'
import { resetGroupOffsets } from './groups/resetGroupOffsets.ts'
import { browseRecords } from './records/browseRecords.ts'
import { getRecord } from './records/getRecord.ts'

export const v1Routes: readonly AdminRoute[] = [
  browseRecords,
  getRecord,
  listGroups,
  getGroup,
  deleteGroup,
  getGroupOffsets,
  resetGroupOffsets,
  deleteGroupOffsets,
]
