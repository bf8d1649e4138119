// The routes of Confluent's REST API, version 3, one file each.

import type { AdminRoute } from '../adminRoute.ts'

export const v3Routes: readonly AdminRoute[] = []
