// Exposes a broker's part in coordination. A broker whose metadata are not in coordination, as in
// some tests, is connected to nothing that could fail.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import { coordinationMetrics } from '../table/coordination.ts'
import type { Collectors } from './collectors.ts'

export function collectCoordination(
  collectors: Collectors,
  coordination: Coordination | undefined,
): void {
  const spec = coordinationMetrics
  const figures = () => coordination?.figures()
  const status = () => coordination?.status ?? 'connected'
  collectors.value(spec.connected, () => (status() === 'connected' ? 1 : 0))
  collectors.value(spec.damaged, () => (status() === 'damaged' ? 1 : 0))
  collectors.value(spec.entries, () => figures()?.sequence ?? 0)
  collectors.value(spec.pendingRequests, () => figures()?.pendingRequests ?? 0)
  collectors.value(spec.sessions, () => figures()?.sessions.length ?? 0)
}
