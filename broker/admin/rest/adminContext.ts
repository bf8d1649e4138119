// The dependencies of the routes of the admin REST API. Contract: only the client, never the broker
// in the same process, so that the same routes administer any Kafka cluster.

import type { Admin } from '../../../protocol/client/admin.ts'
import type { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { Status } from '../../../protocol/telemetry/status/status.ts'
import type { MemoryBudget } from '../../server/memory/memoryBudget.ts'
import type { Picture } from '../board/picture.ts'
import type { Places } from './places.ts'

/** What a program provides to the REST API that it serves. */
export interface AdminSources {
  readonly cluster: Cluster
  readonly admin: Admin
  readonly clock: Clock
  readonly logger: Logger
  /** Returns the latest picture of the console: agents and jobs as last reported. */
  readonly picture: () => Picture
  /** Returns the last report of an agent or a job by id: more detailed than the picture. */
  readonly status?: (id: string) => Status | undefined
}

export interface AdminContext extends AdminSources {
  /** Slots for requests that read records, shared by all clients. */
  readonly scans: Places
  readonly tails: Places
  /** Memory for the records in request bodies, shared by all requests. */
  readonly recordMemory: MemoryBudget
  /** A record stream without traffic in either direction for this long is ended. */
  readonly streamIdleMs: number
}
