// The REST API for a broker in this process, called without a socket. Every response is validated
// against the OpenAPI document, and an error in the log fails the test.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { expect } from 'vitest'
import type { Picture } from '../../../../broker/admin/board/picture.ts'
import type { AdminRoute } from '../../../../broker/admin/rest/adminRoute.ts'
import type { RequestLimits } from '../../../../broker/admin/rest/requestLimits.ts'
import { restServerOptions, serveRest } from '../../../../broker/admin/rest/rest.ts'
import { type Broker, startBroker } from '../../../../broker/broker.ts'
import { type BrokerConfig, brokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import { Admin } from '../../../../protocol/client/admin.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { guardedServer } from '../../../../protocol/operations/guardedServer.ts'
import { alwaysHealthy } from '../../../../protocol/operations/health.ts'
import { serveOperations } from '../../../../protocol/operations/operations.ts'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Address, Network } from '../../../../protocol/runtime/network/network.ts'
import { systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { Metrics } from '../../../../protocol/telemetry/metrics/metrics.ts'
import type { Status } from '../../../../protocol/telemetry/status/status.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

export interface RestFixtureOptions {
  readonly routes?: readonly AdminRoute[]
  readonly limits?: Partial<RequestLimits>
  readonly timeoutMs?: number
  readonly picture?: () => Picture
  readonly status?: (id: string) => Status | undefined
  readonly config?: Partial<BrokerConfig>
  /** Addresses of a running cluster; without them the fixture starts a broker. */
  readonly bootstrap?: readonly Address[]
  readonly network?: Network
  readonly requestTimeoutMs?: number
  /** Time within which the HTTP server must receive a whole request, in ms. */
  readonly bodyTimeoutMs?: number
}

export interface Answer<Body = unknown> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  readonly text: string
}

const noLimits: RequestLimits = {
  windowMs: 1_000,
  reads: 1_000_000,
  changes: 1_000_000,
  scans: 1_000_000,
  records: 1_000_000,
  scansAtOnce: 8,
  tailsAtOnce: 20,
  recordBytes: 1024 * 1024 * 1024,
  streamIdleMs: 60_000,
}

const emptyPicture: Picture = {
  ...{ timeMs: 0, momentMs: 0, problems: [], agents: [], topics: [], topicsTotal: 0 },
  ...{ jobs: [], ledgers: [] },
}

export class RestFixture {
  readonly server: FastifyInstance
  readonly cluster: Cluster
  readonly admin: Admin
  readonly logger: MemoryLogger
  readonly broker: Broker | undefined
  readonly #undo: readonly (() => Promise<unknown>)[]
  /** Number of errors in the log that the test has expected. */
  #expectedErrors = 0

  private constructor(
    parts: Pick<RestFixture, 'server' | 'cluster' | 'admin' | 'logger' | 'broker'>,
    undo: readonly (() => Promise<unknown>)[],
  ) {
    this.server = parts.server
    this.cluster = parts.cluster
    this.admin = parts.admin
    this.logger = parts.logger
    this.broker = parts.broker
    this.#undo = undo
  }

  static async start(options: RestFixtureOptions = {}): Promise<RestFixture> {
    const undo: (() => Promise<unknown>)[] = []
    const network = options.network ?? memoryNetwork()
    const runtime = {
      clock: systemClock,
      random: systemRandom(),
      disk: nodeDisk,
      network,
      scheduler: systemScheduler,
    }
    const broker =
      options.bootstrap === undefined ? await ownBroker(runtime, options, undo) : undefined
    const bootstrap = options.bootstrap ?? [broker!.listeners[0]!.address]
    const { requestTimeoutMs = 5_000 } = options
    const cluster = new Cluster(runtime, {
      ...{ bootstrap, clientId: 'rest-test', requestTimeoutMs },
      allowAutoTopicCreation: false,
    })
    undo.push(() => cluster.close())
    const logger = new MemoryLogger()
    const admin = new Admin(cluster)
    const server = guardedServer({
      ...{ logger, settings: restServerOptions },
      ...(options.bodyTimeoutMs === undefined ? {} : { requestTimeoutMs: options.bodyTimeoutMs }),
    })
    serveOperations(server, {
      ...{ program: 'broker', build: { version: '0.0.0' }, clock: systemClock, startedMs: 0 },
      ...{ metrics: new Metrics(), health: alwaysHealthy, logLevel: { level: 'info' } },
    })
    const context = {
      ...{ cluster, admin, clock: systemClock, logger },
      picture: options.picture ?? (() => emptyPicture),
      ...(options.status === undefined ? {} : { status: options.status }),
    }
    const { routes, timeoutMs } = options
    await serveRest(server, context, {
      version: '0.0.0',
      limits: { ...noLimits, ...options.limits },
      ...(routes === undefined ? {} : { routes }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    await server.ready()
    undo.push(() => server.close())
    return new RestFixture({ server, cluster, admin, logger, broker }, undo)
  }

  get<Body>(url: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.ask<Body>({ method: 'GET', url, headers })
  }

  post<Body>(url: string, payload?: object): Promise<Answer<Body>> {
    return this.ask<Body>({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) })
  }

  delete<Body>(url: string): Promise<Answer<Body>> {
    return this.ask<Body>({ method: 'DELETE', url })
  }

  /** Listens on a socket, which some tests need. Returns the address. */
  listen(): Promise<string> {
    return this.server.listen({ host: '127.0.0.1', port: 0 })
  }

  async ask<Body>(request: InjectOptions): Promise<Answer<Body>> {
    const answer = await this.server.inject(request)
    const text = answer.payload
    const isJson = String(answer.headers['content-type']).startsWith('application/json')
    return {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string>,
      body: (isJson && text !== '' ? JSON.parse(text) : undefined) as Body,
      text,
    }
  }

  /** Sends a request that must fail. Checks the form of the error, and returns the error. */
  async refused(
    request: InjectOptions,
  ): Promise<{ status: number; code: string; message: string }> {
    const { status, body, headers } = await this.ask<Record<string, unknown>>(request)
    expect(body).toEqual({
      error_code: expect.any(Number),
      message: expect.any(String),
      code: expect.stringMatching(/^[A-Z0-9_]+$/),
      action: expect.stringMatching(/\w/),
      request_id: headers['x-request-id'],
    })
    expect(Number(String(body.error_code).slice(0, 3))).toBe(status)
    return { status, code: String(body.code), message: String(body.message) }
  }

  /** Returns the new errors in the log, and marks them as expected. */
  takeErrors() {
    const errors = this.#errors().slice(this.#expectedErrors)
    this.#expectedErrors += errors.length
    return errors
  }

  async close(): Promise<void> {
    for (const step of [...this.#undo].reverse()) await step()
    expect(this.#errors().slice(this.#expectedErrors)).toEqual([])
  }

  #errors() {
    return this.logger.lines.filter(({ level }) => level === 'error')
  }
}

async function ownBroker(
  runtime: Parameters<typeof startBroker>[0]['runtime'],
  { config }: RestFixtureOptions,
  undo: (() => Promise<unknown>)[],
): Promise<Broker> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-rest-'))
  undo.push(() => rm(directory, { recursive: true }))
  const broker = await startBroker({
    runtime,
    logger: silentLogger,
    config: brokerConfig({
      'log.dir': directory,
      'log.dir.reserved.bytes': 64 * 1024,
      'group.initial.rebalance.delay.ms': 0,
      'auto.create.topics.enable': false,
      ...config,
    }),
    listeners: [
      { name: 'TEST', network: runtime.network, address: { host: '127.0.0.1', port: 0 } },
    ],
  })
  undo.push(() => broker.close())
  return broker
}
