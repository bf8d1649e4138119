// Whether a broker is well: what its parts know of their own failures, as reasons for `/healthy` and `/ready`.
// Reads memory only, so that a broker whose disk hangs still answers.

import { type CodedReason, healthOf, type ProgramHealth } from '../protocol/operations/health.ts'
import { type BrokerReasonCode, brokerReasons } from './brokerReasons.ts'
import { isPassing } from './log/logError.ts'
import type { LogManager, ManagedLog } from './log/logManager.ts'
import type { ReplicaManager } from './replication/replicaManager.ts'

export interface HealthSources {
  readonly manager: LogManager
  readonly replicas: ReplicaManager
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Why the metadata log cannot be used any more. */
  readonly metadataFailure: () => Error | undefined
  readonly isStopping: () => boolean
}

type Reason = CodedReason<BrokerReasonCode>

/** Partitions that a message names; the others are only counted. */
const mostNamed = 3
/** Of log.dir.reserved.bytes: with less room than this above it, records will soon be refused. */
const nearlyFull = 10

export function brokerHealth(sources: HealthSources): ProgramHealth {
  return healthOf(brokerReasons, () => [
    ...stopping(sources),
    ...metadata(sources),
    ...directories(sources),
    ...offline(sources),
    ...room(sources),
  ])
}

function stopping({ isStopping }: HealthSources): Reason[] {
  if (!isStopping()) return []
  return [{ code: 'STOPPING', message: 'the broker is being stopped and takes no new connections' }]
}

function metadata({ metadataFailure }: HealthSources): Reason[] {
  const failure = metadataFailure()
  return failure ? [{ code: 'METADATA_FAILED', message: failure.message }] : []
}

function directories({ manager }: HealthSources): Reason[] {
  return manager.failedDirectories.map(({ error: { message }, sinceMs }) => {
    return { code: 'DATA_DIRECTORY_FAILED', message, sinceMs }
  })
}

/** Partitions that cannot be read or written, and those that can only be read. */
function offline({ manager, replicas }: HealthSources): Reason[] {
  const hidden = replicas.offline()
  const failed = [...manager.partitions()].filter(({ log }) => log.offline)
  const [waiting, broken] = [failed.filter(isWaiting), failed.filter((log) => !isWaiting(log))]
  const reasons: Reason[] = []
  if (hidden.length + broken.length > 0) {
    const names = [...hidden, ...broken.map(nameOf)]
    const why =
      broken[0]?.log.offline?.message ?? 'their folders are missing or in a failed directory'
    const message = `${counted(names)}: ${why}`
    reasons.push({ code: 'PARTITIONS_OFFLINE', message })
  }
  if (waiting.length > 0) {
    const names = waiting.map(nameOf)
    const message = `${counted(names)} cannot be written now: ${waiting[0]!.log.offline!.message}`
    reasons.push({ code: 'PARTITIONS_WAITING', message })
  }
  return reasons
}

function isWaiting({ log }: ManagedLog): boolean {
  return isPassing(log.offline)
}

function nameOf({ topic, partition }: ManagedLog): string {
  return `${topic}-${partition}`
}

function counted(names: readonly string[]): string {
  const more = names.length - mostNamed
  const shown = names.slice(0, mostNamed).join(', ')
  const all = more > 0 ? `${shown} and ${more} more` : shown
  return names.length === 1 ? `partition ${all}` : `${names.length} partitions (${all})`
}

function room({ manager, reservedBytes }: HealthSources): Reason[] {
  return manager.directories.flatMap(({ path, space }): Reason[] => {
    const { shortage, freeBytes, shortSinceMs: sinceMs } = space
    if (shortage) return [{ code: 'DISK_FULL', message: shortage.message, sinceMs }]
    if (freeBytes === undefined || freeBytes > reservedBytes * nearlyFull) return []
    const left = Math.floor((freeBytes - reservedBytes) / (1024 * 1024))
    const message =
      `${path} has room for ${left} MiB more; then no records are taken. Free some, or lower ` +
      'retention.ms or retention.bytes of large topics'
    return [{ code: 'DISK_NEARLY_FULL', message }]
  })
}
