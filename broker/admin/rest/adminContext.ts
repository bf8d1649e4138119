// What the routes of the admin REST API work with. It stands on the client alone, never on the broker
// beside it, so that the same routes administer any Kafka cluster.

import type { Admin } from '../../../protocol/client/admin.ts'
import type { Cluster } from '../../../protocol/client/cluster.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { Picture } from '../board/picture.ts'

export interface AdminContext {
  readonly cluster: Cluster
  readonly admin: Admin
  readonly clock: Clock
  readonly logger: Logger
  /** The console's newest picture: agents and jobs as they last reported. */
  readonly picture: () => Picture
}
