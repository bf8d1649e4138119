// One connection to one broker. Requests are pipelined up to a limit and answered in order. Nothing
// is retried here: when the connection breaks, or a response is overdue, every pending request
// fails with a NetworkError, and the caller decides.

import { MalformedError } from '../../bytes/malformed.ts'
import { ByteReader } from '../../bytes/reader.ts'
import { apiVersions } from '../../kafka/apis/apiVersions.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../../kafka/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../../kafka/schema/schema.ts'
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  NetworkError,
} from '../../runtime/network/network.ts'
import { ownPackage } from '../../runtime/process/ownPackage.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Timer } from '../../runtime/time/clock.ts'
import { ClientError } from '../clientError.ts'
import { ApiVersionsTable } from './apiVersionsTable.ts'
import { InFlight } from './inFlight.ts'

export interface ConnectionOptions {
  readonly clientId: string
  /**
   * Limit on the time until a response arrives, in ms; when it is exceeded, the connection is
   * closed.
   */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs?: number
  /** Limit on the size of a response, in bytes. 128 MiB unless given. */
  readonly maxFrameBytes?: number
}

export interface SendOptions {
  /** Highest version to use; the newest common version unless given. */
  readonly version?: number
  /** Replaces requestTimeoutMs, for a request that the broker may hold back. */
  readonly timeoutMs?: number
}

/** Highest version of ApiVersions; the fields that version 4 adds are not used. */
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

  /**
   * Connects and requests the API versions of the broker. Fails with NetworkError or ClientError.
   */
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

  /** Whether requests can be sent; once false, every `send` fails. */
  get isOpen(): boolean {
    return this.#failure === undefined
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress
  }

  /** Returns the version that `send` would use. Throws ClientError NO_COMMON_VERSION. */
  versionOf(api: Api, atMost?: number): number {
    return this.#versions!.versionOf(api, atMost)
  }

  /** Whether broker and client support a common version of the API. */
  supports(api: Api): boolean {
    return this.#versions!.supports(api)
  }

  /**
   * Sends a request and returns its response; error codes in it are checked by the caller. Large
   * records in `request` are sent by reference and must not change before the response. Fails with
   * NetworkError when the connection breaks (the broker may have processed the request), otherwise
   * with ClientError.
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

  /** Closes the connection; pending requests fail with CLIENT_CLOSED. */
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
            `broker ${this.remoteAddress} closed the connection: check its log`,
            cause,
          ),
    )
  }

  /**
   * A broker that does not support version 3 answers with UNSUPPORTED_VERSION in version 0
   * (KIP-511).
   */
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
      const message = `cannot send to ${place}: ${maxWaiting} requests are waiting; await their responses first`
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

  /** A request that cannot be encoded fails alone; the connection stays open. */
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
      this.#fail(this.#malformed(`unexpected correlation id ${correlationId}`))
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

  /**
   * One timer per connection, for the earliest deadline when it was set; checks all when it fires.
   */
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
      `${this.remoteAddress} sent an invalid Kafka response (${detail}): check that the address is a broker's`,
      cause,
    )
  }
}

/**
 * The response to ApiVersions has version 0 when the broker does not support the requested version.
 */
function answerVersion(request: PendingRequest, frame: Buffer): number {
  if (request.api.key !== apiVersions.key || frame.length < 6) return request.version
  return frame.readInt16BE(4) === ErrorCode.unsupportedVersion ? 0 : request.version
}

function overdue(place: string, { api, timeoutMs }: PendingRequest): NetworkError {
  return new NetworkError(
    'CONNECTION_TIMEOUT',
    `broker ${place} did not answer ${api.name} within ${timeoutMs} ms: check its load and its log`,
  )
}
