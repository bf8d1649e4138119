// The OpenAPI document of the REST API, as a server returns it at /openapi.json, and as it is
// committed (docs/openapi.json).

import { readFileSync } from 'node:fs'
import { fastify } from 'fastify'
import type { AdminSources } from '../broker/admin/rest/adminContext.ts'
import { restServerOptions, serveRest } from '../broker/admin/rest/rest.ts'
import { Admin } from '../protocol/client/admin.ts'
import { Cluster } from '../protocol/client/cluster/cluster.ts'
import { memoryNetwork } from '../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../protocol/runtime/random.ts'
import { systemScheduler } from '../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../protocol/runtime/time/clock.ts'
import { silentLogger } from '../protocol/telemetry/logging/logger.ts'

/** Returns the document of a server without a cluster: no other route is requested. */
async function documentText(): Promise<string> {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { version: string }
  const runtime = {
    clock: systemClock,
    random: seededRandom(1),
    network: memoryNetwork(),
    scheduler: systemScheduler,
  }
  const cluster = new Cluster(runtime, { bootstrap: [], clientId: 'openapi' })
  const sources: AdminSources = {
    ...{ cluster, admin: new Admin(cluster), clock: systemClock, logger: silentLogger },
    picture: () => {
      throw new Error('no route is asked')
    },
  }
  const server = fastify(restServerOptions)
  await serveRest(server, sources, { version })
  const answer = await server.inject('/openapi.json')
  await server.close()
  await cluster.close()
  return `${JSON.stringify(JSON.parse(answer.payload), null, 2)}\n`
}

export const openApiDocument = await documentText()
