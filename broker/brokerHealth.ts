// The health of a broker: turns the failures that its components have recorded into the reasons of
// `/healthy` and `/ready`. Contract: reads memory only, so that a broker whose disk hangs still
// answers.

import type { Coordination } from '../protocol/coordination/coordination.ts'
import { type CodedReason, healthOf, type ProgramHealth } from '../protocol/operations/health.ts'
import { type BrokerReasonCode, brokerReasons } from './brokerReasons.ts'
import { isPassing } from './log/logError.ts'
import type { LogManager, ManagedLog } from './log/logManager.ts'
import type { ReplicaManager } from './replication/replicaManager.ts'

export interface HealthSources {
  readonly manager: LogManager
  readonly replicas: ReplicaManager
  readonly coordination: Pick<Coordination, 'status' | 'problem'> | undefined
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Returns why the metadata log can no longer be used; undefined if it can. */
  readonly metadataFailure: () => Error | undefined
  readonly isStopping: () => boolean
}

type Reason = CodedReason<BrokerReasonCode>

/** Limit on the partitions that a message names; the others are counted. */
const mostNamed = 3
/**
 * Multiple of log.dir.reserved.bytes: below this much free space, DISK_NEARLY_FULL is
 * reported.
 */
const nearlyFull = 10

export function brokerHealth(sources: HealthSources): ProgramHealth {
  return healthOf(brokerReasons, () => [
    ...stopping(sources),
    ...metadata(sources),
    ...coordinationProblem(sources),
    ...directories(sources),
    ...offline(sources),
    ...room(sources),
  ])
}

function stopping({ isStopping }: HealthSources): Reason[] {
  if (!isStopping()) return []
  return [
    { code: 'STOPPING', message: 'the broker is shutting down and accepts no new connections' },
  ]
}

function metadata({ metadataFailure }: HealthSources): Reason[] {
  const failure = metadataFailure()
  return failure ? [{ code: 'METADATA_FAILED', message: failure.message }] : []
}

/** A warning: clients are served, and another instance of the broker could do nothing more. */
function coordinationProblem({ coordination }: HealthSources): Reason[] {
  const { status, problem } = coordination ?? {}
  if (problem === undefined) return []
  const code = status === 'damaged' ? 'COORDINATION_DAMAGED' : 'COORDINATION_UNREACHABLE'
  return [{ code, message: problem }]
}

function directories({ manager }: HealthSources): Reason[] {
  return manager.failedDirectories.map(({ error: { message }, sinceMs }) => {
    return { code: 'DATA_DIRECTORY_FAILED', message, sinceMs }
  })
}

/** Offline partitions, and partitions that can be read but not written. */
function offline({ manager, replicas }: HealthSources): Reason[] {
  const hidden = replicas.offline()
  const failed = [...manager.partitions()].filter(({ log }) => log.offline)
  const [waiting, broken] = [failed.filter(isWaiting), failed.filter((log) => !isWaiting(log))]
  const reasons: Reason[] = []
  if (hidden.length + broken.length > 0) {
    const names = [...hidden, ...broken.map(nameOf)]
    const why =
      broken[0]?.log.offline?.message ??
      'their directories are missing or in a failed data directory'
    const message = `${counted(names)}: ${why}`
    reasons.push({ code: 'PARTITIONS_OFFLINE', message })
  }
  if (waiting.length > 0) {
    const names = waiting.map(nameOf)
    const message = `${counted(names)} cannot be written: ${waiting[0]!.log.offline!.message}`
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
      `${path} is nearly full: produces are refused after ${left} MiB more; free space, or lower ` +
      'retention.ms or retention.bytes of large topics'
    return [{ code: 'DISK_NEARLY_FULL', message }]
  })
}
