// The routes of our own below /api/v1, one file each.

import type { AdminRoute } from '../adminRoute.ts'

export const v1Routes: readonly AdminRoute[] = []
