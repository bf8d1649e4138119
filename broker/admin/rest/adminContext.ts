// What the routes of the admin REST API work with. It stands on the client alone, never on the broker
// beside it, so that the same routes administer any Kafka cluster.

import type { Admin } from '../../../protocol/client/admin.ts'
import type { Cluster } from '../../../protocol/client/cluster.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { Status } from '../../../protocol/telemetry/status.ts'
import type { MemoryBudget } from '../../server/memory/memoryBudget.ts'
import type { Picture } from '../board/picture.ts'
import type { Places } from './requestLimits.ts'

/** What a program gives to the REST API that it serves. */
export interface AdminSources {
  readonly cluster: Cluster
  readonly admin: Admin
  readonly clock: Clock
  readonly logger: Logger
  /** The console's newest picture: agents and jobs as they last reported. */
  readonly picture: () => Picture
  /** What an agent or a job last reported, by its id: more than the picture shows. */
  readonly status?: (id: string) => Status | undefined
}

export interface AdminContext extends AdminSources {
  /** Of requests that read records: of all of them at once, not only of one client. */
  readonly scans: Places
  readonly tails: Places
  /** Of records that requests bring, of all requests together. */
  readonly recordMemory: MemoryBudget
  /** A stream of records in which nothing has come or gone for so long is ended. */
  readonly streamIdleMs: number
}
