// The connection to NATS: opened with plain settings, reconnects for ever, and reports failures as
// CoordinationError. A request waits for a connection up to its timeout, and fails when the
// connection breaks.
//
// Contract: a request that was sent and not answered has an unknown outcome; none is sent after its
// call has failed. The NATS client is loaded at the first connection, so that a process without
// NATS neither loads nor pays for it. Its own timers and sockets are the edge of this folder.

import type { JetStreamClient, JetStreamManager, PubAck, StreamAPI } from '@nats-io/jetstream'
import type {
  Authenticator,
  ConnectionOptions,
  Msg,
  NatsConnection,
  Server,
} from '@nats-io/transport-node'
import type { Random } from '../../../runtime/random.ts'
import type { Clock, Timer } from '../../../runtime/time/clock.ts'
import { CoordinationError } from '../../coordinationError.ts'
import { connectFailure, requestFailure } from './natsFailure.ts'
import { checkNatsSettings, type NatsSettings } from './natsSettings.ts'
import { tlsOptions } from './natsTls.ts'

const defaultConnectTimeoutMs = 5000
const defaultRequestTimeoutMs = 3000
/** A server that does not answer two pings in turn is left: after at most 6 s. */
const pingIntervalMs = 2000
const maxPingOut = 2
const minReconnectMs = 100
const maxReconnectMs = 2000

export interface ConnectedServer {
  readonly name: string
  readonly version: string
  /** Undefined for a server alone. */
  readonly cluster: string | undefined
  readonly maxPayloadBytes: number
  readonly hasJetStream: boolean
  /** host:port of further servers of the cluster, as they announce themselves. */
  readonly others: readonly string[]
}

export interface AppendExpectation {
  readonly stream: string
  /** Undefined: any. */
  readonly lastSequence: number | undefined
}

/** The address of a server that is left: another one is preferred at the next connection. */
interface Left {
  address: string | undefined
}

interface Client {
  readonly left: Left
  readonly connection: NatsConnection
  readonly jetstream: JetStreamClient
  readonly manager: JetStreamManager
  readonly headersOf: (fields: Readonly<Record<string, string>>) => Headers
}

type Headers = NonNullable<Msg['headers']>

export interface LinkDependencies {
  readonly clock: Clock
  readonly random: Random
}

/** Rejects with a CoordinationError that says what to set, or that nothing can be reached. */
export async function connectNats(
  settings: NatsSettings,
  { clock, random }: LinkDependencies,
  reconnect = true,
): Promise<NatsLink> {
  checkNatsSettings(settings)
  const transport = await import('@nats-io/transport-node')
  const { jetstream, jetstreamManager } = await import('@nats-io/jetstream')
  const text = (value: string) => new TextEncoder().encode(value)
  const authenticators: Authenticator[] = []
  if (settings.credentials !== undefined) {
    authenticators.push(transport.credsAuthenticator(text(settings.credentials)))
  }
  if (settings.nkeySeed !== undefined) {
    authenticators.push(transport.nkeyAuthenticator(text(settings.nkeySeed.trim())))
  }
  const left: Left = { address: undefined }
  const options = {
    ...connectionOptions(settings, { clock, random }, authenticators, reconnect),
    reconnectToServer: (pool: readonly Server[]) => preferred(pool, left),
  }
  const connection = await transport.connect(options).catch((error: unknown) => {
    throw connectFailure(settings, error)
  })
  // The client drops servers that it did not reach at first.
  const pool = connection.getServers().map(({ listen }) => listen)
  if (settings.servers.some((server) => !pool.includes(server))) {
    connection.setServers([...new Set([...settings.servers, ...pool])])
  }
  const timeout = settings.requestTimeoutMs ?? defaultRequestTimeoutMs
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout })
  return new NatsLink(settings, clock, {
    left,
    connection,
    manager,
    jetstream: jetstream(connection, { timeout }),
    headersOf: (fields) => {
      const headers = transport.headers()
      for (const [name, value] of Object.entries(fields)) headers.set(name, value)
      return headers
    },
  })
}

function connectionOptions(
  settings: NatsSettings,
  dependencies: LinkDependencies,
  authenticators: Authenticator[],
  reconnect: boolean,
): ConnectionOptions {
  const { user, password, token } = settings
  return {
    servers: [...settings.servers],
    ...(settings.name === undefined ? {} : { name: settings.name }),
    ...(user === undefined || password === undefined ? {} : { user, pass: password }),
    ...(token === undefined ? {} : { token }),
    ...(authenticators.length === 0 ? {} : { authenticator: authenticators }),
    ...(settings.tls === undefined ? {} : { tls: tlsOptions(settings.tls, settings.servers) }),
    timeout: settings.connectTimeoutMs ?? defaultConnectTimeoutMs,
    pingInterval: pingIntervalMs,
    maxPingOut,
    reconnect,
    maxReconnectAttempts: -1,
    // Credentials that are replaced on the servers first, and here later, must not end all
    // attempts.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: reconnectDelays(dependencies),
  }
}

/**
 * The client asks before and during each wait, so that the delay follows from how long it has been
 * asking, not from how often.
 */
function reconnectDelays({ clock, random }: LinkDependencies): () => number {
  let sinceMs = Number.NEGATIVE_INFINITY
  let askedMs = Number.NEGATIVE_INFINITY
  return () => {
    const nowMs = clock.monotonicMs()
    if (nowMs - askedMs > 2 * maxReconnectMs) sinceMs = nowMs
    askedMs = nowMs
    const waitMs = Math.max(minReconnectMs, Math.min(maxReconnectMs, (nowMs - sinceMs) / 4))
    return waitMs + random.below(minReconnectMs)
  }
}

/** Null leaves the choice to the client, which takes the servers in turn. */
function preferred(pool: readonly Server[], { address }: Left): Server | null {
  if (address === undefined) return null
  const others = pool.filter(({ listen }) => listen !== address)
  return others.sort((a, b) => a.lastConnect - b.lastConnect)[0] ?? null
}

export class NatsLink {
  readonly settings: NatsSettings
  readonly #clock: Clock
  readonly #client: Client
  readonly #stateListeners = new Set<(isConnected: boolean) => void>()
  readonly #problemListeners = new Set<(problem: string) => void>()
  readonly #inFlight = new Set<(error: CoordinationError) => void>()
  readonly #watching: Promise<void>
  #isConnected = true
  #isClosed = false
  /** The last failure that the client reported, for messages. */
  #lastProblem: string | undefined

  constructor(settings: NatsSettings, clock: Clock, client: Client) {
    this.settings = settings
    this.#clock = clock
    this.#client = client
    this.#watching = this.#watchStatus()
  }

  get requestTimeoutMs(): number {
    return this.settings.requestTimeoutMs ?? defaultRequestTimeoutMs
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#isClosed
  }

  /** Undefined while the connection is not established. */
  get server(): ConnectedServer | undefined {
    const { info } = this.#client.connection
    if (info === undefined) return undefined
    return {
      name: info.server_name,
      version: info.version,
      cluster: info.cluster === '' ? undefined : info.cluster,
      maxPayloadBytes: info.max_payload,
      hasJetStream: info.jetstream === true,
      others: info.connect_urls ?? [],
    }
  }

  /** Performs a request of the JetStream API. `what` names it in failures. */
  api<T>(what: string, request: (streams: StreamAPI) => Promise<T>): Promise<T> {
    return this.#call(what, () => request(this.#client.manager.streams))
  }

  /** Names of the streams that a subject, which may have wildcards, belongs to. */
  streamNames(subject: string): Promise<string[]> {
    return this.api('list the streams of the coordination log', async (streams) => {
      const names: string[] = []
      for await (const name of streams.names(subject)) names.push(name)
      return names
    })
  }

  append(
    subject: string,
    bytes: Uint8Array,
    { stream, lastSequence }: AppendExpectation,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<PubAck> {
    const expect = { streamName: stream, ...(lastSequence === undefined ? {} : { lastSequence }) }
    return this.#call(`append to the stream ${stream}`, () =>
      this.#client.jetstream.publish(subject, bytes, {
        expect,
        headers: this.#client.headersOf(fields),
      }),
    )
  }

  /**
   * Sends a request and collects the answers of `count` servers, or fewer when `waitMs` have
   * passed.
   */
  requestMany(
    what: string,
    subject: string,
    { count, waitMs }: { readonly count: number; readonly waitMs: number },
  ): Promise<Uint8Array[]> {
    return this.#call(what, async () => {
      const answers: Uint8Array[] = []
      const options = { strategy: 'count' as const, maxMessages: count, maxWait: waitMs }
      for await (const message of await this.#client.connection.requestMany(subject, '', options)) {
        answers.push(message.data)
      }
      return answers
    })
  }

  /** Best effort: nothing is sent while the connection is not established. */
  publish(subject: string, bytes: Uint8Array): void {
    if (this.isConnected) this.#client.connection.publish(subject, bytes)
  }

  /** Receives messages of a subject, also after reconnections. Returns a function that ends it. */
  listen(subject: string, listener: (message: Msg) => void): () => void {
    const subscription = this.#client.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message)
        else this.#deaf(subject, error)
      },
    })
    return () => {
      if (!subscription.isClosed()) subscription.unsubscribe()
    }
  }

  /** Leaves the server for another one, if there are others. */
  moveOn(): void {
    const { connection, left } = this.#client
    if (!this.isConnected || connection.getServers().length < 2) return
    left.address = connection.getServer()
    void connection.reconnect()
  }

  /** Problems that nobody waits for: messages that cannot be received. */
  onProblem(listener: (problem: string) => void): () => void {
    this.#problemListeners.add(listener)
    return () => void this.#problemListeners.delete(listener)
  }

  onConnected(listener: (isConnected: boolean) => void): () => void {
    this.#stateListeners.add(listener)
    return () => void this.#stateListeners.delete(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const listener of [...this.#stateListeners]) listener(false)
    this.#stateListeners.clear()
    this.#failInFlight(new CoordinationError('COORDINATION_CLOSED', 'the connection is closed'))
    await this.#client.connection.close()
    await this.#watching
  }

  async #call<T>(what: string, request: () => Promise<T>): Promise<T> {
    if (!this.isConnected) await this.#connectedAgain(what)
    return await new Promise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#inFlight.delete(fail)
        reject(requestFailure(what, error))
      }
      this.#inFlight.add(fail)
      request().then((value) => {
        this.#inFlight.delete(fail)
        resolve(value)
      }, fail)
    })
  }

  /** Rejects if there is no connection within the timeout of a request. */
  async #connectedAgain(what: string): Promise<void> {
    let timer: Timer | undefined
    let ended: (() => void) | undefined
    await new Promise<void>((resolve) => {
      if (this.#isClosed) return resolve()
      timer = this.#clock.setTimer(this.requestTimeoutMs, resolve)
      ended = this.onConnected(() => resolve())
    })
    timer?.cancel()
    ended?.()
    if (!this.isConnected) throw requestFailure(what, this.#notConnected())
  }

  #notConnected(): CoordinationError {
    if (this.#isClosed) {
      return new CoordinationError('COORDINATION_CLOSED', 'the connection to NATS is closed')
    }
    const servers = this.settings.servers.join(', ')
    const why = this.#lastProblem === undefined ? '' : `: ${this.#lastProblem}`
    return new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `not connected to NATS at ${servers}${why}; connecting again`,
    )
  }

  #deaf(subject: string, error: Error): void {
    const problem =
      `cannot subscribe to ${subject}: ${error.message}; permit it to the user of the connection, ` +
      'otherwise changes arrive late'
    for (const listener of [...this.#problemListeners]) listener(problem)
  }

  #failInFlight(error: CoordinationError): void {
    for (const fail of [...this.#inFlight]) fail(error)
  }

  async #watchStatus(): Promise<void> {
    for await (const status of this.#client.connection.status()) {
      if (status.type === 'error') this.#lastProblem = status.error.message
      if (status.type === 'disconnect') this.#setConnected(false)
      if (status.type === 'reconnect') this.#setConnected(true)
    }
    this.#setConnected(false)
  }

  #setConnected(isConnected: boolean): void {
    if (isConnected) {
      this.#lastProblem = undefined
      this.#client.left.address = undefined
    }
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    if (!isConnected) this.#failInFlight(this.#notConnected())
    for (const listener of [...this.#stateListeners]) listener(isConnected)
  }
}
