// The codes with which `millrace admin` says what is not well.

import type { ReasonSpec } from '../../protocol/operations/health.ts'

export const adminReasons = {
  CLUSTER_UNREACHABLE: {
    kind: 'not ready',
    meaning:
      'No broker of the cluster given by --bootstrap answers. The server tries again until one does.',
  },
} as const satisfies Record<string, ReasonSpec>
