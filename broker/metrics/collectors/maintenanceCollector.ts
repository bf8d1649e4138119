// Exposes retention, the cleaner, recovery and the duration of the start.

import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { LogCleaner } from '../../log/cleaner/logCleaner.ts'
import type { LogManager } from '../../log/logManager.ts'
import { maintenanceMetrics } from '../table/maintenance.ts'
import type { Collectors } from './collectors.ts'

/** How the broker started. */
export interface StartFigures {
  readonly recoverySeconds: number
  readonly startSeconds: number
}

export interface MaintenanceSources {
  readonly logs: Pick<LogManager, 'directories' | 'wasCleanShutdown'>
  readonly cleaner: Pick<LogCleaner, 'runs' | 'replaced' | 'lastLook'>
  readonly start: StartFigures
}

export function collectMaintenance(
  collectors: Collectors,
  { logs, cleaner, start }: MaintenanceSources,
): void {
  const spec = maintenanceMetrics
  // Read once: a directory that fails later does not change it.
  const { wasCleanShutdown } = logs
  collectors.samples(spec.deletedSegments, (sample) => {
    for (const { path: directory, figures } of logs.directories) {
      sample(labelText({ directory }), figures.deletedSegments)
    }
  })
  collectors.samples(spec.deletedBytes, (sample) => {
    for (const { path: directory, figures } of logs.directories) {
      sample(labelText({ directory }), figures.deletedBytes)
    }
  })
  collectors.samples(spec.cleanings, (sample) => {
    sample(labelText({ outcome: 'cleaned' }), cleaner.runs.cleaned)
    sample(labelText({ outcome: 'failed' }), cleaner.runs.failed)
  })
  collectors.value(spec.cleanedBytesRead, () => cleaner.replaced.readBytes)
  collectors.value(spec.cleanedBytesWritten, () => cleaner.replaced.writtenBytes)
  collectors.value(spec.cleanerBacklog, () => cleaner.lastLook.backlogBytes)
  collectors.value(spec.maxDirtyRatio, () => cleaner.lastLook.maxDirtyRatio)
  collectors.value(spec.uncleanable, () => cleaner.lastLook.uncleanable)
  collectors.value(spec.cleanShutdown, () => Number(wasCleanShutdown))
  collectors.value(spec.recoverySeconds, () => start.recoverySeconds)
  collectors.value(spec.startSeconds, () => start.startSeconds)
}
