// The table of the codes with which `millrace admin` reports that it is not ready.

import type { ReasonSpec } from '../../protocol/operations/health.ts'

export const adminReasons = {
  CLUSTER_UNREACHABLE: {
    kind: 'not ready',
    meaning:
      'No broker of the cluster given by --bootstrap answers. The server retries until one does.',
  },
} as const satisfies Record<string, ReasonSpec>
