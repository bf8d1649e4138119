// The operations edge as a server of its own, for programs that serve nothing else over HTTP, and for a
// second address that other hosts may reach.

import type { Address } from '../runtime/network.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Bound, guardedServer, listenOn } from './guardedServer.ts'
import { type OperationsOptions, serveOperations } from './operations.ts'

export interface OperationsServerOptions {
  readonly logger: Logger
  /** Port 0 takes a free one. */
  readonly listen: Address
  /** The option of the command line that gives `listen`, for messages. */
  readonly option: string
  /** Lets other hosts ask, under whatever name they know this one by. */
  readonly isOpen?: boolean | undefined
  readonly operations: OperationsOptions
}

export interface OperationsServer extends Bound {
  close(): Promise<void>
}

/** Starts listening. Fails with a ListenError. */
export async function startOperationsServer({
  logger,
  listen,
  option,
  isOpen,
  operations,
}: OperationsServerOptions): Promise<OperationsServer> {
  const server = guardedServer({ logger, isOpen })
  serveOperations(server, operations)
  const bound = await listenOn(server, listen, option)
  return { ...bound, close: () => server.close() }
}
