// A server for the operations routes: for programs without other HTTP routes, for a second address
// that other hosts may reach, and in front of routes that are loaded lazily.

import type { FastifyInstance } from 'fastify'
import {
  type LateRoutes,
  type LateServer,
  type LateServerOptions,
  lateRoutes,
  type RequestListener,
  startLateServer,
} from './lateServer.ts'
import type { OperationsOptions } from './operationsOptions.ts'

export interface OperationsServerOptions extends LateServerOptions {
  /** Accepts requests from other hosts, under any host name. */
  readonly isOpen?: boolean | undefined
  readonly operations: OperationsOptions
  /** Answers requests for all other paths. */
  readonly others?: LateRoutes | undefined
  /** Called before routes are added. */
  readonly prepare?: ((server: FastifyInstance) => void) | undefined
}

export type OperationsServer = LateServer

/** Starts listening. Fails with a ListenError. */
export async function startOperationsServer(
  options: OperationsServerOptions,
): Promise<OperationsServer> {
  let edge: FastifyInstance | undefined
  const late = await startLateServer(options, async () => {
    const { guardedServer } = await import('./guardedServer.ts')
    const { serveOperations } = await import('./operations.ts')
    const { logger, isOpen, operations, others, prepare } = options
    const server = guardedServer({ logger, isOpen })
    prepare?.(server)
    serveOperations(server, operations)
    await server.ready()
    edge = server
    return others === undefined ? server.routing : servedBy(server, lateRoutes(others, logger))
  })
  return {
    ...late,
    async close() {
      await Promise.all([late.close(), edge?.close()])
    },
  }
}

/** Requests that match a route of `server` are answered by it, all others by `others`. */
function servedBy(server: FastifyInstance, others: RequestListener): RequestListener {
  return (request, response) => {
    const { method, url = '' } = request
    const path = url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '')
    const isServed = server.hasRoute({ method: method as 'GET', url: path })
    if (isServed) server.routing(request, response)
    else others(request, response)
  }
}
