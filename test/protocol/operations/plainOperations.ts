// The operations of a healthy program with one counter.

import { alwaysHealthy } from '../../../protocol/operations/health.ts'
import type { OperationsOptions } from '../../../protocol/operations/operationsOptions.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'

export const plainOperations: OperationsOptions = {
  program: 'broker',
  build: { version: '0.0.0' },
  clock: systemClock,
  startedMs: 0,
  metrics: { expose: async () => 'millrace_up 1\n', contentType: 'text/plain; version=0.0.4' },
  health: alwaysHealthy,
}
