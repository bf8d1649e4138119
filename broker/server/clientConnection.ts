// One client. Requests are answered in the order in which they came, and handled one at a time, as
// Kafka does it; only Produce requests behind one another overlap, so that many share one sync. It
// holds bounded memory: a client that sends without reading, or reads without end, is not read.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { FrameSplitter } from '../../protocol/kafka/frame.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Connection, ConnectionHandler } from '../../protocol/runtime/network.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { type Answer, dispatch, isProduce } from './dispatch.ts'
import type { BrokerParts, ConnectionContext } from './requestContext.ts'

/** Produce requests of one connection in the log at the same time. */
const maxOverlapping = 64

/** What a frame costs besides its bytes; so that a flood of tiny ones is bounded as well. */
const frameOverheadBytes = 1024

/** A request under way: its place in the order of answers. */
interface Slot {
  readonly frameBytes: number
  done: boolean
  answer: Answer
}

export interface ConnectionOptions {
  readonly broker: BrokerParts
  readonly advertised: ConnectionContext['advertised']
  readonly onClosed: () => void
}

export class ClientConnection implements ConnectionHandler {
  readonly #connection: Connection
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #splitter: FrameSplitter
  readonly #context: ConnectionContext
  readonly #abort = new AbortController()
  readonly #frames: Buffer[] = []
  readonly #slots: Slot[] = []
  /** Bytes of frames not answered yet, whether waiting or under way. */
  #outstandingBytes = 0
  #onlyProduces = true
  #paused = false
  #sendBlocked = false
  #draining = false
  #closed = false
  #lastActivityMs: number
  #idleTimer: Timer | undefined

  constructor(connection: Connection, options: ConnectionOptions) {
    const { broker } = options
    this.#connection = connection
    this.#options = options
    this.#clock = broker.clock
    this.#logger = broker.logger
    this.#splitter = new FrameSplitter(broker.config['socket.request.max.bytes'])
    this.#lastActivityMs = broker.clock.monotonicMs()
    this.#context = {
      broker,
      advertised: options.advertised,
      clientHost: `/${connection.remoteAddress.replace(/:\d+$/, '')}`,
      stopWaiting: this.#abort.signal,
      disconnect: (reason) => this.#disconnect(reason),
    }
  }

  start(): void {
    this.#watchIdleness(this.#options.broker.config['connections.max.idle.ms'])
    this.#connection.start(this)
  }

  /** Answers what is under way, takes nothing new, then ends. */
  drain(): void {
    this.#draining = true
    this.#frames.length = 0
    this.#abort.abort()
    this.#endWhenDrained()
  }

  destroy(): void {
    this.#connection.destroy()
    this.onClose()
  }

  onData(chunk: Buffer): void {
    if (this.#draining || this.#closed) return
    this.#lastActivityMs = this.#clock.monotonicMs()
    try {
      for (const frame of this.#splitter.push(chunk)) {
        this.#frames.push(frame)
        this.#outstandingBytes += frame.length + frameOverheadBytes
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#advance()
  }

  onDrain(): void {
    this.#sendBlocked = false
    this.#advance()
  }

  onClose(cause?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#frames.length = 0
    this.#idleTimer?.cancel()
    this.#abort.abort()
    if (cause) {
      const client = this.#connection.remoteAddress
      this.#logger.debug({ client, error: cause }, 'a connection broke')
    }
    this.#options.onClosed()
  }

  /** Starts what may be started now. */
  #advance(): void {
    while (!this.#closed && this.#frames.length > 0 && this.#mayStart(this.#frames[0]!)) {
      const frame = this.#frames.shift()!
      this.#onlyProduces = isProduce(frame)
      this.#start(frame)
    }
    this.#regulate()
  }

  #mayStart(frame: Buffer): boolean {
    if (this.#sendBlocked) return false
    if (this.#slots.length === 0) return true
    return this.#onlyProduces && isProduce(frame) && this.#slots.length < maxOverlapping
  }

  #start(frame: Buffer): void {
    const slot: Slot = {
      frameBytes: frame.length + frameOverheadBytes,
      done: false,
      answer: undefined,
    }
    this.#slots.push(slot)
    let outcome: Answer | Promise<Answer>
    try {
      outcome = dispatch(frame, this.#context)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (!(outcome instanceof Promise)) {
      this.#finish(slot, outcome)
      return
    }
    outcome.then(
      (answer) => {
        this.#finish(slot, answer)
        this.#advance()
      },
      (error: unknown) => this.#fail(error),
    )
  }

  /** Sends every answer whose turn has come. */
  #finish(slot: Slot, answer: Answer): void {
    slot.done = true
    slot.answer = answer
    while (this.#slots[0]?.done) {
      const first = this.#slots.shift()!
      this.#outstandingBytes -= first.frameBytes
      if (first.answer && !this.#closed && !this.#connection.write(first.answer)) {
        this.#sendBlocked = true
      }
    }
    this.#lastActivityMs = this.#clock.monotonicMs()
    this.#endWhenDrained()
  }

  /** Stops reading above the limit, and goes on at half of it. */
  #regulate(): void {
    const limit = this.#options.broker.config['socket.outstanding.max.bytes']
    if (!this.#paused && this.#outstandingBytes > limit) {
      this.#paused = true
      this.#connection.pause()
    } else if (this.#paused && this.#outstandingBytes <= limit / 2) {
      this.#paused = false
      this.#connection.resume()
    }
  }

  #endWhenDrained(): void {
    if (this.#draining && !this.#closed && this.#slots.length === 0) this.#connection.end()
  }

  /** What the client did is its own end; anything else is ours, and must be seen. */
  #fail(error: unknown): void {
    if (error instanceof MalformedError) {
      this.#disconnect(error.message)
      return
    }
    const client = this.#connection.remoteAddress
    this.#logger.error({ client, error }, 'a request failed; its connection is closed')
    this.destroy()
    if (error instanceof Error && 'code' in error && error.code === 'ASSERTION_FAILED') throw error
  }

  #disconnect(reason: string): void {
    const client = this.#connection.remoteAddress
    this.#logger.warn({ client, reason }, 'a client is disconnected')
    this.destroy()
  }

  /** One timer that looks again when the connection could be idle at the earliest. */
  #watchIdleness(limitMs: number): void {
    const idleMs = this.#clock.monotonicMs() - this.#lastActivityMs
    const inUse = this.#slots.length > 0
    if (!inUse && idleMs >= limitMs) {
      this.#logger.debug({ client: this.#connection.remoteAddress }, 'an idle connection is closed')
      this.destroy()
      return
    }
    const waitMs = inUse ? limitMs : limitMs - idleMs
    // Timers cannot be set for longer than this; looking too early does no harm.
    this.#idleTimer = this.#clock.setTimer(Math.min(waitMs, 2 ** 31 - 1), () =>
      this.#watchIdleness(limitMs),
    )
  }
}
