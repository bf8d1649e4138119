// The connection of one client. Composes its parts: FrameQueue cuts chunks into requests,
// RequestOrder keeps answers in the order of requests, RequestMemory, DecodedMemory and
// AnswerMemory bound the memory that the connection takes, alone and together with all others,
// Idleness decides when it has been quiet for too long. The phase of the connection decides what is
// done with a request.
//
// Invariants: answers leave in the order of requests; a client that sends without reading, or sends
// more than there is memory for, is not read; nothing is dispatched after the connection was
// closed.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { type MemoryAllowance, TooCostlyError } from '../../../protocol/bytes/memoryAllowance.ts'
import type { Connection, ConnectionHandler } from '../../../protocol/runtime/network/network.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import { stallTolerant } from '../../../protocol/runtime/time/stallTolerantClock.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { type Answer, dispatch } from '../dispatch/dispatch.ts'
import type { RequestRecord } from '../figures/requestFigures.ts'
import { ConnectionAccess } from '../gate/connectionAccess.ts'
import { AccessDeniedError } from '../gate/requestGate.ts'
import { AnswerMemory } from '../memory/answerMemory.ts'
import { DecodedMemory } from '../memory/decodedMemory.ts'
import type { MemoryBudget } from '../memory/memoryBudget.ts'
import type { ReadBuffers } from '../memory/readBuffers.ts'
import { RequestMemory } from '../memory/requestMemory.ts'
import type { BrokerParts, ConnectionContext } from '../request/requestContext.ts'
import { FrameQueue } from './frameQueue.ts'
import { Idleness, type QuietConnection } from './idleness.ts'
import { PendingRequest, RequestOrder } from './requestOrder.ts'

export interface ConnectionOptions {
  readonly broker: BrokerParts
  readonly advertised: ConnectionContext['advertised']
  readonly requestBudget: MemoryBudget
  readonly decodedBudget: MemoryBudget
  readonly answerBudget: MemoryBudget
  readonly readBuffers: ReadBuffers
  readonly onClosed: (reason: CloseReason) => void
}

/** Why a connection ended. */
export type CloseReason =
  | 'client'
  | 'idle'
  | 'stalled'
  | 'malformed'
  | 'costly'
  | 'refused'
  | 'failed'
  | 'shutdown'

/**
 * The phase of a connection: what it does with a request. Every connection is in the serving phase,
 * `dispatch`, from the beginning. A listener that authenticates its clients begins in a phase that
 * admits only authentication requests, sets the principal of the connection, and then changes to
 * serving.
 */
export type ConnectionPhase = (
  frame: Buffer,
  allowance: MemoryAllowance,
  connection: ConnectionContext,
  record: RequestRecord,
) => Answer | Promise<Answer>

export class ClientConnection implements ConnectionHandler {
  readonly #connection: Connection
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #context: ConnectionContext
  readonly #abort = new AbortController()
  readonly #phase: ConnectionPhase = dispatch
  readonly #frames: FrameQueue
  readonly #order = new RequestOrder()
  readonly #requestMemory: RequestMemory
  readonly #decodedMemory: DecodedMemory
  readonly #answerMemory: AnswerMemory
  readonly #idleness: Idleness
  #isPaused = false
  #isSendBlocked = false
  #isDraining = false
  #isClosed = false
  #closeReason: CloseReason = 'client'
  /** Set while the first read of the connection is delayed. */
  #startTimer: Timer | undefined

  constructor(connection: Connection, options: ConnectionOptions) {
    const { broker } = options
    this.#connection = connection
    this.#options = options
    this.#clock = stallTolerant(broker.clock)
    this.#logger = broker.logger
    this.#frames = new FrameQueue(broker.config['socket.request.max.bytes'], options.readBuffers)
    this.#requestMemory = new RequestMemory(
      options.requestBudget,
      () => broker.config['socket.outstanding.max.bytes'],
      () => this.#regulate(),
    )
    this.#decodedMemory = new DecodedMemory(options.decodedBudget, () => this.#advance())
    // On other networks the client may keep a reference to the bytes that were written.
    const buffers = connection.copiesOnWrite ? options.readBuffers : undefined
    this.#answerMemory = new AnswerMemory(options.answerBudget, buffers)
    this.#idleness = new Idleness(
      this.#clock,
      broker.clock.monotonicMs(),
      () => this.#unfinished(),
      (quiet) => this.#closeQuiet(quiet),
    )
    const clientHost = `/${connection.remoteAddress.replace(/:\d+$/, '')}`
    this.#context = {
      broker,
      access: new ConnectionAccess(broker.gate.authorizer, clientHost),
      advertised: options.advertised,
      clientHost,
      answerMemory: this.#answerMemory,
      stopWaiting: this.#abort.signal,
      disconnect: (reason) => this.#disconnect(reason, 'refused'),
    }
  }

  /** Number of requests that were received and are not answered. */
  get pendingRequests(): number {
    return this.#frames.length + this.#order.length
  }

  /**
   * Whether reading is paused, because this connection or all connections together take too much
   * memory.
   */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Begins to read after `waitMs`. */
  start(waitMs = 0): void {
    if (waitMs > 0) {
      this.#startTimer = this.#clock.setTimer(waitMs, () => this.start())
      return
    }
    this.#startTimer = undefined
    this.#idleness.watch(this.#options.broker.config['connections.max.idle.ms'])
    this.#connection.start(this)
  }

  /** Answers the requests in flight, accepts no others, then closes. */
  drain(): void {
    this.#closeReason = 'shutdown'
    if (this.#startTimer) {
      this.destroy()
      return
    }
    this.#isDraining = true
    this.#dropFrames()
    this.#abort.abort()
    this.#endWhenDrained()
  }

  destroy(reason: CloseReason = 'shutdown'): void {
    this.#closeReason = reason
    this.#connection.destroy()
    this.onClose()
  }

  onData(chunk: Buffer): void {
    if (this.#isDraining || this.#isClosed) return
    const nowMs = this.#clock.monotonicMs()
    this.#idleness.received(nowMs)
    let completedBytes: number
    try {
      completedBytes = this.#frames.push(chunk, nowMs)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#requestMemory.take(completedBytes)
    this.#count()
    if (completedBytes > 0) this.#requestMemory.leaveLine()
    this.#advance()
    if (this.#isClosed) return
    if (this.#requestMemory.waitIfExceeded(this.#frames.hasIncompleteFrame)) this.#regulate()
  }

  onDrain(): void {
    this.#isSendBlocked = false
    this.#advance()
  }

  onClose(cause?: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // Their answers are not sent. Requests in flight are released when they are done.
    this.#requestMemory.release(this.#order.doneBytes)
    this.#dropFrames()
    this.#answerMemory.close()
    this.#startTimer?.cancel()
    this.#idleness.stop()
    this.#abort.abort()
    if (cause) {
      const client = this.#connection.remoteAddress
      this.#logger.debug({ client, error: cause }, 'connection reset')
    }
    this.#options.onClosed(this.#closeReason)
  }

  /** Dispatches the requests that may be handled now. */
  #advance(): void {
    for (let frame = this.#frames.head; frame; frame = this.#frames.head) {
      if (this.#isClosed || !this.#mayDispatch(frame)) break
      const arrivedMs = this.#frames.headArrivedMs
      this.#frames.shift()
      this.#order.starting(frame)
      this.#dispatch(frame, arrivedMs)
    }
    this.#regulate()
  }

  #mayDispatch(frame: Buffer): boolean {
    if (this.#isSendBlocked || this.#decodedMemory.isWaiting) return false
    if (this.#answerMemory.unsentBytes > 0 && this.#options.answerBudget.isExceeded) return false
    return this.#order.admits(frame)
  }

  #dispatch(frame: Buffer, arrivedMs: number): void {
    const allowance = this.#decodedMemory.allowance()
    const request = new PendingRequest(frame, arrivedMs, this.#clock.monotonicMs())
    let outcome: Answer | Promise<Answer>
    try {
      outcome = this.#phase(frame, allowance, this.#context, request)
    } catch (error) {
      if (allowance.isExceeded && this.#decodedMemory.mayGrow(allowance)) {
        this.#frames.unshift(frame, arrivedMs)
        this.#decodedMemory.wait()
        return
      }
      this.#fail(error, allowance)
      this.#requestMemory.release(request.costBytes)
      this.#count()
      return
    }
    const release = this.#decodedMemory.take(allowance)
    request.block = this.#frames.blockOf(frame)
    this.#order.add(request)
    if (!(outcome instanceof Promise)) {
      release()
      this.#finish(request, outcome)
      return
    }
    outcome.then(
      (answer) => {
        release()
        if (request.block) this.#options.readBuffers.giveBack(request.block)
        this.#finish(request, answer)
        this.#advance()
      },
      (error: unknown) => {
        release()
        this.#fail(error)
        this.#finish(request, undefined)
      },
    )
  }

  /** Sends every answer whose turn it is in the order of requests. */
  #finish(request: PendingRequest, answer: Answer): void {
    if (this.#isClosed) {
      this.#requestMemory.release(request.costBytes)
      this.#count()
      return
    }
    const nowMs = this.#clock.monotonicMs()
    this.#order.done(request, answer)
    request.figures?.handled(request, request.frameBytes, nowMs)
    while (!this.#isClosed) {
      const first = this.#order.next()
      if (first === undefined) break
      this.#requestMemory.release(first.costBytes)
      if (first.answer) this.#send(first.answer, first, nowMs)
      else first.figures?.answered(first.arrivedMs, 0, nowMs)
    }
    this.#count()
    this.#idleness.answered(nowMs)
    this.#endWhenDrained()
  }

  #send(answer: readonly Uint8Array[], request: PendingRequest, nowMs: number): void {
    const { figures, arrivedMs } = request
    if (this.#answerMemory.unsentBytes === 0) this.#idleness.sending(nowMs)
    const bytes = totalBytes(answer)
    figures?.answered(arrivedMs, bytes, nowMs)
    const release = this.#answerMemory.sent(bytes)
    const isBelowHighWater = this.#connection.write(answer, () => {
      release()
      const takenMs = this.#clock.monotonicMs()
      this.#idleness.taken(takenMs)
      figures?.sent(takenMs - nowMs)
      if (this.#frames.length > 0) this.#advance()
    })
    if (!isBelowHighWater) this.#isSendBlocked = true
    if (this.#options.broker.rarePoints.isForced('connection lost')) this.destroy('failed')
  }

  #count(): void {
    this.#requestMemory.count(this.#frames.heldBytes)
  }

  /** Drops the requests that are not dispatched yet, and ends all waits for memory. */
  #dropFrames(): void {
    this.#requestMemory.release(this.#frames.clear())
    this.#decodedMemory.close()
    this.#count()
    this.#requestMemory.leaveLine()
  }

  /** Pauses or resumes reading, as the memory for requests requires. */
  #regulate(): void {
    if (this.#isClosed) return
    const mustPause = this.#requestMemory.mustPause(this.#isPaused)
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    if (mustPause) {
      this.#connection.pause()
    } else {
      this.#idleness.resumed(this.#clock.monotonicMs())
      this.#connection.resume()
    }
  }

  #endWhenDrained(): void {
    if (this.#isDraining && !this.#isClosed && this.#order.length === 0) this.#connection.end()
  }

  /**
   * Closes the connection after an error. Errors that are not the client's are failures of the
   * broker and are logged as such.
   */
  #fail(error: unknown, decoding?: MemoryAllowance): void {
    if (error instanceof MalformedError) {
      this.#disconnect(error.message, 'malformed')
      return
    }
    if (error instanceof AccessDeniedError) {
      this.#disconnect(error.message, 'refused')
      return
    }
    if (error instanceof TooCostlyError) {
      const option = decoding?.isExceeded ? 'queued.max.request.bytes' : 'queued.max.response.bytes'
      this.#disconnect(`${error.message}: request less at a time, or raise ${option}`, 'costly')
      return
    }
    const client = this.#connection.remoteAddress
    this.#logger.error({ client, error }, 'failed to handle a request; closing its connection')
    this.destroy('failed')
    if (error instanceof Error && 'code' in error && error.code === 'ASSERTION_FAILED') throw error
  }

  #disconnect(reason: string, kind: CloseReason): void {
    const client = this.#connection.remoteAddress
    this.#logger.warn({ client, reason }, 'disconnecting client')
    this.destroy(kind)
  }

  #unfinished() {
    const { unsentBytes, isScarce } = this.#answerMemory
    return {
      hasPendingRequests: this.#order.length > 0,
      isReceiving: this.#frames.hasIncompleteFrame && !this.#isPaused,
      holdsScarceMemory: unsentBytes > 0 && isScarce,
    }
  }

  #closeQuiet({ kind, reason }: QuietConnection): void {
    const client = this.#connection.remoteAddress
    this.#logger.info({ client, reason }, 'closing idle connection')
    this.destroy(kind)
  }
}
