// One socket to one broker. Requests are pipelined: sent as they come, up to a bound, and answered
// in order. It never tries anything again: when the socket breaks, or one answer is overdue, every
// request fails with a NetworkError, and what to do about that is decided above.

import { MalformedError } from '../bytes/malformed.ts'
import { ByteReader } from '../bytes/reader.ts'
import { apiVersions } from '../kafka/apis/apiVersions.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../kafka/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../kafka/schema.ts'
import type { Timer } from '../runtime/clock.ts'
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  NetworkError,
} from '../runtime/network.ts'
import { ownPackage } from '../runtime/ownPackage.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { ApiVersionsTable } from './apiVersionsTable.ts'
import { ClientError } from './clientError.ts'
import { InFlight } from './inFlight.ts'

export interface ConnectionOptions {
  readonly clientId: string
  /** An answer later than this closes the connection. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs?: number
  /** The largest answer that is accepted. */
  readonly maxFrameBytes?: number
}

export interface SendOptions {
  /** The version to use, or the newest common one when that is lower. */
  readonly version?: number
  /** For a request that the broker may hold back on purpose, in place of requestTimeoutMs. */
  readonly timeoutMs?: number
}

/** The newest version to ask ApiVersions in: what 4 adds is for brokers in a cluster of their own. */
const apiVersionsVersion = 3
const defaultConnectTimeoutMs = 10_000
const defaultMaxFrameBytes = 128 * 1024 * 1024
const maxInFlight = 64
const maxWaiting = 4096

interface PendingRequest {
  readonly api: Api
  readonly version: number
  readonly body: unknown
  readonly timeoutMs: number
  resolve(response: never): void
  reject(error: Error): void
}

export class KafkaConnection implements ConnectionHandler {
  readonly #clock: Runtime['clock']
  readonly #connection: Connection
  readonly #options: ConnectionOptions
  readonly #frames: FrameSplitter
  readonly #inFlight = new InFlight<PendingRequest>(maxInFlight)
  readonly #waiting: PendingRequest[] = []
  #versions: ApiVersionsTable | undefined
  #writable = true
  #failure: Error | undefined
  #timer: Timer | undefined

  private constructor(clock: Runtime['clock'], connection: Connection, options: ConnectionOptions) {
    this.#clock = clock
    this.#connection = connection
    this.#options = options
    this.#frames = new FrameSplitter(options.maxFrameBytes ?? defaultMaxFrameBytes)
  }

  /** Connects and learns what the broker speaks. Fails with NetworkError, or ClientError. */
  static async connect(
    runtime: Pick<Runtime, 'clock' | 'network'>,
    address: Address,
    options: ConnectionOptions,
  ): Promise<KafkaConnection> {
    const timeoutMs = options.connectTimeoutMs ?? defaultConnectTimeoutMs
    const connection = await runtime.network.connect(address, timeoutMs)
    const kafka = new KafkaConnection(runtime.clock, connection, options)
    connection.start(kafka)
    try {
      kafka.#versions = await kafka.#askVersions()
    } catch (error) {
      kafka.close()
      throw error
    }
    return kafka
  }

  /** False once it is of no more use; every later `send` fails. */
  get isOpen(): boolean {
    return this.#failure === undefined
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress
  }

  /** The version in which `send` would ask. Throws ClientError when there is none in common. */
  versionOf(api: Api, atMost?: number): number {
    return this.#versions!.versionOf(api, atMost)
  }

  /** Whether `send` finds a version of the API that both sides know. */
  supports(api: Api): boolean {
    return this.#versions!.supports(api)
  }

  /**
   * Large records in `request` are sent by reference: they must not change before the answer. Error
   * codes in the answer are the caller's to look at. Fails with NetworkError when the connection
   * breaks (the request may have been carried out), with ClientError otherwise.
   */
  send<A extends Api>(
    api: A,
    request: RequestInput<A>,
    options: SendOptions = {},
  ): Promise<ResponseOf<A>> {
    return new Promise((resolve, reject) => {
      const version = this.#versions!.versionOf(api, options.version)
      const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs
      this.#enqueue({ api, version, body: request, timeoutMs, resolve, reject })
    })
  }

  /** Requests without an answer fail. */
  close(): void {
    const closed = `the connection to ${this.remoteAddress} was closed by this client`
    this.#fail(new ClientError('CLIENT_CLOSED', closed))
  }

  onData(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#failure !== undefined) return
        this.#answer(frame)
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.#fail(this.#malformed(error.message, error))
    }
    this.#sendWaiting()
  }

  onDrain(): void {
    this.#writable = true
    this.#sendWaiting()
  }

  onClose(cause?: Error): void {
    this.#fail(
      cause instanceof NetworkError
        ? cause
        : new NetworkError(
            'CONNECTION_LOST',
            `${this.remoteAddress} closed the connection: check the broker's log`,
            cause,
          ),
    )
  }

  /** A broker that does not know version 3 answers in version 0 what it does know (KIP-511). */
  async #askVersions(): Promise<ApiVersionsTable> {
    const first = await this.#sendApiVersions(apiVersionsVersion)
    if (first.errorCode === ErrorCode.none) return new ApiVersionsTable(this.remoteAddress, first)
    if (first.errorCode !== ErrorCode.unsupportedVersion) throw new KafkaError(first.errorCode)
    const second = await this.#sendApiVersions(0)
    if (second.errorCode !== ErrorCode.none) throw new KafkaError(second.errorCode)
    return new ApiVersionsTable(this.remoteAddress, second)
  }

  #sendApiVersions(version: number): Promise<ResponseOf<typeof apiVersions>> {
    return new Promise((resolve, reject) => {
      const body = { clientSoftwareName: 'millrace', clientSoftwareVersion: ownPackage().version }
      const timeoutMs = this.#options.requestTimeoutMs
      this.#enqueue({ api: apiVersions, version, body, timeoutMs, resolve, reject })
    })
  }

  #enqueue(request: PendingRequest): void {
    if (this.#failure !== undefined) {
      request.reject(this.#failure)
    } else if (this.#waiting.length >= maxWaiting) {
      const place = this.remoteAddress
      const message = `${maxWaiting} requests already wait for ${place}: wait for answers before asking more`
      request.reject(new ClientError('TOO_MANY_REQUESTS', message))
    } else {
      this.#waiting.push(request)
      this.#sendWaiting()
    }
  }

  #sendWaiting(): void {
    while (
      this.#waiting.length > 0 &&
      this.#writable &&
      !this.#inFlight.isFull &&
      this.#failure === undefined
    ) {
      this.#transmit(this.#waiting.shift()!)
    }
    this.#armTimer()
  }

  /** A request that cannot be encoded is its caller's mistake, and no one else's. */
  #transmit(request: PendingRequest): void {
    const { api, version, body, timeoutMs } = request
    const header = {
      correlationId: this.#inFlight.nextCorrelationId,
      clientId: this.#options.clientId,
    }
    let frame: Buffer[]
    try {
      frame = encodeRequest(api, version, header, body as never)
    } catch (error) {
      request.reject(error as Error)
      return
    }
    this.#inFlight.add(request, this.#clock.monotonicMs() + timeoutMs)
    this.#writable = this.#connection.write(frame)
  }

  #answer(frame: Buffer): void {
    const reader = new ByteReader(frame)
    reader.need(4)
    const correlationId = frame.readInt32BE(0)
    const request = this.#inFlight.answered(correlationId)
    if (request === undefined) {
      this.#fail(this.#malformed(`an answer to request ${correlationId}, which is not due`))
      return
    }
    try {
      const version = answerVersion(request, frame)
      request.resolve(decodeResponse(request.api, version, reader).body as never)
    } catch (error) {
      request.reject(this.#malformed((error as Error).message, error))
      throw error
    }
  }

  /** One timer per connection, set for the earliest deadline there was; it looks again when it fires. */
  #armTimer(): void {
    if (this.#timer !== undefined || this.#inFlight.count === 0) return
    const delayMs = this.#inFlight.earliestDeadlineMs - this.#clock.monotonicMs()
    this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => {
      this.#timer = undefined
      const late = this.#inFlight.expired(this.#clock.monotonicMs())
      if (late === undefined) this.#armTimer()
      else this.#fail(overdue(this.remoteAddress, late))
    })
  }

  #fail(failure: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#timer?.cancel()
    this.#connection.destroy()
    for (const request of this.#inFlight.takeAll()) request.reject(failure)
    for (const request of this.#waiting.splice(0)) request.reject(failure)
  }

  #malformed(detail: string, cause?: unknown): ClientError {
    return new ClientError(
      'MALFORMED_RESPONSE',
      `${this.remoteAddress} does not answer as a Kafka broker does (${detail}): check the address`,
      cause,
    )
  }
}

/** ApiVersions is answered in version 0 when the version asked for is unknown. */
function answerVersion(request: PendingRequest, frame: Buffer): number {
  if (request.api.key !== apiVersions.key || frame.length < 6) return request.version
  return frame.readInt16BE(4) === ErrorCode.unsupportedVersion ? 0 : request.version
}

function overdue(place: string, { api, timeoutMs }: PendingRequest): NetworkError {
  return new NetworkError(
    'CONNECTION_TIMEOUT',
    `${place} did not answer ${api.name} within ${timeoutMs} ms: check the broker's load and its log`,
  )
}
