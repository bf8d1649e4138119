// The routes of our own below /api/v1, one file each.

import type { AdminRoute } from '../adminRoute.ts'
import { browseRecords } from './records/browseRecords.ts'
import { getRecord } from './records/getRecord.ts'

export const v1Routes: readonly AdminRoute[] = [browseRecords, getRecord]
