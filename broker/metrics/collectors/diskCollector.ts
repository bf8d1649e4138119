// Exposes data directories, their disks and their syncs.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import { type Distribution, labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { SyncFigures } from '../../log/logFigures.ts'
import type { LogManager } from '../../log/logManager.ts'
import type { DiskFigures, DiskMonitor } from '../diskMonitor.ts'
import type { DirectoryFigures, PartitionSnapshot } from '../partitionSnapshot.ts'
import { diskMetrics } from '../table/disks.ts'
import { type Collectors, LabelTexts } from './collectors.ts'

export interface DiskSources {
  readonly logs: Pick<LogManager, 'directories' | 'stagedBytes'>
  readonly monitor: DiskMonitor
  readonly snapshot: PartitionSnapshot
  readonly reservedBytes: number
}

export function collectDisks(
  collectors: Collectors,
  { logs, monitor, snapshot, reservedBytes }: DiskSources,
): void {
  const spec = diskMetrics
  const labels = new LabelTexts((directory) => labelText({ directory }))
  collectors.before(() => monitor.looked)
  const disks = (metric: MetricSpec, read: (disk: DiskFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const disk of monitor.disks()) sample(labels.of(disk.path), read(disk))
    })
  disks(spec.diskBytes, ({ sizeBytes }) => sizeBytes)
  disks(spec.freeBytes, ({ freeBytes }) => freeBytes)
  disks(spec.reservedBytes, () => reservedBytes)
  disks(spec.secondsUntilFull, ({ secondsUntilFull }) => secondsUntilFull)
  collectors.samples(spec.level, (sample) => {
    for (const { path, level } of monitor.levels()) sample(labels.of(path), level)
  })
  collectors.samples(spec.failed, (sample) => {
    for (const { path, hasFailed } of monitor.levels()) sample(labels.of(path), Number(hasFailed))
  })
  const directories = (metric: MetricSpec, read: (figures: DirectoryFigures) => number) =>
    collectors.samples(metric, (sample) => {
      for (const [path, figures] of snapshot.directories) sample(labels.of(path), read(figures))
    })
  directories(spec.logBytes, ({ sizeBytes }) => sizeBytes)
  directories(spec.partitions, ({ partitions }) => partitions)
  directories(spec.pendingBytes, ({ pendingBytes }) => pendingBytes)
  directories(spec.heldBytes, ({ heldBytes }) => heldBytes)
  collectors.samples(spec.pendingCommits, (sample) => {
    for (const { path, journal } of logs.directories) {
      if (journal) sample(labels.of(path), journal.pendingCommits)
    }
  })
  collectors.value(spec.stagedBytes, () => logs.stagedBytes)
  const syncs = (metric: MetricSpec, read: (figures: SyncFigures) => Distribution) =>
    collectors.histograms(metric, (write) => {
      for (const { path: directory, figures } of logs.directories) {
        write(labelText({ directory, kind: 'journal' }), read(figures.journal))
        write(labelText({ directory, kind: 'segment' }), read(figures.segment))
      }
    })
  syncs(spec.syncSeconds, ({ seconds }) => seconds)
  syncs(spec.syncBytes, ({ bytes }) => bytes)
  syncs(spec.syncAppends, ({ appends }) => appends)
}
