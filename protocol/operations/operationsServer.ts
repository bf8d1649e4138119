// The operations edge as a server of its own, for programs that serve nothing else over HTTP, and for a
// second address that other hosts may reach.

import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { Address } from '../runtime/network.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Bound, guardedServer, listenOn } from './guardedServer.ts'
import { type LateRoutes, serveLater } from './lateRoutes.ts'
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
  /** What answers the requests for all other paths. */
  readonly others?: LateRoutes | undefined
  /** What a program needs beside the usual. */
  readonly settings?: FastifyServerOptions | undefined
  /** Called before routes are added. */
  readonly prepare?: ((server: FastifyInstance) => void) | undefined
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
  others,
  settings,
  prepare,
}: OperationsServerOptions): Promise<OperationsServer> {
  const server = guardedServer({ logger, isOpen, settings })
  prepare?.(server)
  serveOperations(server, operations)
  if (others) serveLater(server, others, logger)
  const bound = await listenOn(server, listen, option)
  return { ...bound, close: () => server.close() }
}
