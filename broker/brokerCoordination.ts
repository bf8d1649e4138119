// The coordination that a broker stands on, as its configuration says: embedded, in its first data
// directory.

import type { Coordination } from '../protocol/coordination/coordination.ts'
import { openEmbeddedCoordination } from '../protocol/coordination/embeddedCoordination.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { OpenKeyValueStore } from '../protocol/runtime/store/keyValueStore.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { BrokerConfig } from './configuration/brokerOptions.ts'

export interface CoordinationOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly config: BrokerConfig
  /** A directory of its own, inside the first data directory. */
  readonly directory: string
  /** Frees space for a write that found none; resolves with false if there is none to free. */
  readonly makeRoom: () => Promise<boolean>
  readonly openStore: OpenKeyValueStore
}

export async function openBrokerCoordination(options: CoordinationOptions): Promise<Coordination> {
  const { runtime, logger, config, directory, makeRoom, openStore } = options
  const name = `broker ${config['node.id']}`
  return await openEmbeddedCoordination({ runtime, logger, directory, makeRoom, openStore, name })
}
