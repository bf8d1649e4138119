// One client. Requests are answered in the order in which they came, and handled one at a time, as
// Kafka does it; only Produce requests behind one another overlap, so that many share one sync. It
// holds bounded memory, by itself and together with all others: a client that sends without reading,
// or sends more than there is room for, is not read; one that stops half way is sent away.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { type MemoryAllowance, TooCostlyError } from '../../protocol/bytes/memoryAllowance.ts'
import { totalBytes } from '../../protocol/bytes/totalBytes.ts'
import { FrameSplitter } from '../../protocol/kafka/frame.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Connection, ConnectionHandler } from '../../protocol/runtime/network.ts'
import { stallTolerant } from '../../protocol/runtime/stallTolerantClock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { AnswerMemory } from './answerMemory.ts'
import { DecodedMemory } from './decodedMemory.ts'
import { type Answer, dispatch, isProduce } from './dispatch.ts'
import { ConnectionAccess } from './gate/connectionAccess.ts'
import { AccessDeniedError } from './gate/requestGate.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'
import type { ReadBuffers } from './readBuffers.ts'
import type { BrokerParts, ConnectionContext } from './requestContext.ts'
import type { RequestRecord } from './requestFigures.ts'

/** Produce requests of one connection in the log at the same time. */
const maxOverlapping = 64

/** What a frame costs besides its bytes; so that a flood of tiny ones is bounded as well. */
const frameOverheadBytes = 1024

/** A client that stops in the middle of a request, or of an answer when memory is scarce. */
const stalledMs = 30_000

/** A request under way: its place in the order of answers. */
interface Slot extends RequestRecord {
  readonly frameBytes: number
  /** What the frame lies in, when nobody has it any more once the request is answered. */
  block: Buffer | undefined
  done: boolean
  answer: Answer
}

export interface ConnectionOptions {
  readonly broker: BrokerParts
  readonly advertised: ConnectionContext['advertised']
  readonly requestBudget: MemoryBudget
  readonly decodedBudget: MemoryBudget
  readonly answerBudget: MemoryBudget
  readonly readBuffers: ReadBuffers
  readonly onClosed: (reason: CloseReason) => void
}

/** Who or what ended a connection. */
export type CloseReason =
  | 'client'
  | 'idle'
  | 'stalled'
  | 'malformed'
  | 'costly'
  | 'refused'
  | 'failed'
  | 'shutdown'

export class ClientConnection implements ConnectionHandler {
  readonly #connection: Connection
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #splitter: FrameSplitter
  readonly #context: ConnectionContext
  readonly #abort = new AbortController()
  readonly #frames: Buffer[] = []
  /** When the last byte of each of the frames came. */
  readonly #arrivals: number[] = []
  /** Of the frames that were put together of several chunks, the blocks they lie in. */
  readonly #blocks = new Map<ArrayBufferLike, Buffer>()
  readonly #slots: Slot[] = []
  readonly #decodedMemory: DecodedMemory
  readonly #answerMemory: AnswerMemory
  /** Bytes of frames not answered yet, whether waiting or under way. */
  #outstandingBytes = 0
  /** What the budget for requests knows of this connection. */
  #countedBytes = 0
  /** A place in the line for that budget, or the turn to overdraw it. */
  #room: RoomRequest | undefined
  #waitsForRoom = false
  #onlyProduces = true
  #paused = false
  #sendBlocked = false
  #draining = false
  #closed = false
  #closeReason: CloseReason = 'client'
  #lastActivityMs: number
  /** When the client last sent something, or could first do so again. */
  #lastReceivedMs: number
  /** When the client last took something of its answers. */
  #lastTakenMs: number
  #idleTimer: Timer | undefined
  /** While the connection waits for its turn. */
  #startTimer: Timer | undefined

  constructor(connection: Connection, options: ConnectionOptions) {
    const { broker } = options
    this.#connection = connection
    this.#options = options
    this.#clock = stallTolerant(broker.clock)
    this.#logger = broker.logger
    const maxFrameBytes = broker.config['socket.request.max.bytes']
    this.#splitter = new FrameSplitter(maxFrameBytes, (bytes) => this.#takeBlock(bytes))
    this.#decodedMemory = new DecodedMemory(options.decodedBudget, () => this.#advance())
    // Over other networks a client may hold on to the very bytes that were written.
    const buffers = connection.copiesOnWrite ? options.readBuffers : undefined
    this.#answerMemory = new AnswerMemory(options.answerBudget, buffers)
    this.#lastActivityMs = broker.clock.monotonicMs()
    this.#lastReceivedMs = this.#lastActivityMs
    this.#lastTakenMs = this.#lastActivityMs
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

  /** Requests that came and are not answered. */
  get pendingRequests(): number {
    return this.#frames.length + this.#slots.length
  }

  /** Whether nothing is read at present, because the connection or all of them hold too much. */
  get isPaused(): boolean {
    return this.#paused
  }

  /** Reads the first request after `waitMs`. */
  start(waitMs = 0): void {
    if (waitMs > 0) {
      this.#startTimer = this.#clock.setTimer(waitMs, () => this.start())
      return
    }
    this.#startTimer = undefined
    this.#watchIdleness(this.#options.broker.config['connections.max.idle.ms'])
    this.#connection.start(this)
  }

  /** Answers what is under way, takes nothing new, then ends. */
  drain(): void {
    this.#closeReason = 'shutdown'
    if (this.#startTimer) {
      this.destroy()
      return
    }
    this.#draining = true
    this.#forgetFrames()
    this.#abort.abort()
    this.#endWhenDrained()
  }

  destroy(reason: CloseReason = 'shutdown'): void {
    this.#closeReason = reason
    this.#connection.destroy()
    this.onClose()
  }

  onData(chunk: Buffer): void {
    if (this.#draining || this.#closed) return
    this.#lastActivityMs = this.#clock.monotonicMs()
    this.#lastReceivedMs = this.#lastActivityMs
    const framesBefore = this.#frames.length
    try {
      for (const frame of this.#splitter.push(chunk)) {
        this.#frames.push(frame)
        this.#arrivals.push(this.#lastReceivedMs)
        this.#outstandingBytes += frame.length + frameOverheadBytes
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#count()
    if (this.#frames.length > framesBefore) this.#leaveRoom()
    this.#advance()
    this.#waitForRoom()
  }

  onDrain(): void {
    this.#sendBlocked = false
    this.#advance()
  }

  onClose(cause?: Error): void {
    if (this.#closed) return
    this.#closed = true
    for (const slot of this.#slots) if (slot.done) this.#outstandingBytes -= slot.frameBytes
    this.#forgetFrames()
    this.#answerMemory.close()
    this.#startTimer?.cancel()
    this.#idleTimer?.cancel()
    this.#abort.abort()
    if (cause) {
      const client = this.#connection.remoteAddress
      this.#logger.debug({ client, error: cause }, 'a connection broke')
    }
    this.#options.onClosed(this.#closeReason)
  }

  /** Starts what may be started now. */
  #advance(): void {
    while (!this.#closed && this.#frames.length > 0 && this.#mayStart(this.#frames[0]!)) {
      const frame = this.#frames.shift()!
      const arrivedMs = this.#arrivals.shift()!
      this.#onlyProduces = isProduce(frame)
      this.#start(frame, arrivedMs)
    }
    this.#regulate()
  }

  #mayStart(frame: Buffer): boolean {
    if (this.#sendBlocked || this.#decodedMemory.isWaiting) return false
    if (this.#answerMemory.unsentBytes > 0 && this.#options.answerBudget.isExceeded) return false
    if (this.#slots.length === 0) return true
    return this.#onlyProduces && isProduce(frame) && this.#slots.length < maxOverlapping
  }

  #start(frame: Buffer, arrivedMs: number): void {
    const allowance = this.#decodedMemory.allowance()
    const slot: Slot = {
      figures: undefined,
      arrivedMs,
      startedMs: this.#clock.monotonicMs(),
      waitedMs: 0,
      frameBytes: frame.length + frameOverheadBytes,
      block: undefined,
      done: false,
      answer: undefined,
    }
    let outcome: Answer | Promise<Answer>
    try {
      outcome = dispatch(frame, allowance, this.#context, slot)
    } catch (error) {
      if (allowance.isExceeded && this.#decodedMemory.mayGrow(allowance)) {
        this.#frames.unshift(frame)
        this.#arrivals.unshift(arrivedMs)
        this.#decodedMemory.wait()
        return
      }
      this.#fail(error, allowance)
      this.#outstandingBytes -= frame.length + frameOverheadBytes
      this.#count()
      return
    }
    const release = this.#decodedMemory.take(allowance)
    slot.block = this.#blockOf(frame)
    this.#slots.push(slot)
    if (!(outcome instanceof Promise)) {
      release()
      this.#finish(slot, outcome)
      return
    }
    outcome.then(
      (answer) => {
        release()
        if (slot.block) this.#options.readBuffers.giveBack(slot.block)
        this.#finish(slot, answer)
        this.#advance()
      },
      (error: unknown) => {
        release()
        this.#fail(error)
        this.#finish(slot, undefined)
      },
    )
  }

  #takeBlock(bytes: number): Buffer {
    const block = this.#options.readBuffers.take(bytes)
    this.#blocks.set(block.buffer, block)
    return block.subarray(0, bytes)
  }

  /** Other requests than appends may leave parts of themselves behind, such as a member's metadata. */
  #blockOf(frame: Buffer): Buffer | undefined {
    const block = this.#blocks.get(frame.buffer)
    this.#blocks.delete(frame.buffer)
    return isProduce(frame) ? block : undefined
  }

  /** Sends every answer whose turn has come. */
  #finish(slot: Slot, answer: Answer): void {
    if (this.#closed) {
      this.#outstandingBytes -= slot.frameBytes
      this.#count()
      return
    }
    const nowMs = this.#clock.monotonicMs()
    slot.done = true
    slot.answer = answer
    slot.figures?.handled(slot, slot.frameBytes - frameOverheadBytes, nowMs)
    while (this.#slots[0]?.done) {
      const first = this.#slots.shift()!
      this.#outstandingBytes -= first.frameBytes
      if (first.answer) this.#send(first.answer, first, nowMs)
      else first.figures?.answered(first.arrivedMs, 0, nowMs)
    }
    this.#count()
    this.#lastActivityMs = nowMs
    this.#endWhenDrained()
  }

  #send(answer: readonly Uint8Array[], { figures, arrivedMs }: Slot, nowMs: number): void {
    if (this.#answerMemory.unsentBytes === 0) this.#lastTakenMs = nowMs
    const bytes = totalBytes(answer)
    figures?.answered(arrivedMs, bytes, nowMs)
    const release = this.#answerMemory.sent(bytes)
    const below = this.#connection.write(answer, () => {
      release()
      this.#lastTakenMs = this.#clock.monotonicMs()
      this.#lastActivityMs = this.#lastTakenMs
      figures?.sent(this.#lastTakenMs - nowMs)
      if (this.#frames.length > 0) this.#advance()
    })
    if (!below) this.#sendBlocked = true
  }

  /** Tells the budget for requests what this connection holds now. */
  #count(): void {
    const bytes = this.#outstandingBytes + this.#splitter.heldBytes
    const before = this.#countedBytes
    this.#countedBytes = bytes
    if (bytes > before) this.#options.requestBudget.take(bytes - before)
    else if (bytes < before) this.#options.requestBudget.release(before - bytes)
  }

  /** Reads no more while all connections together hold too much. */
  #waitForRoom(): void {
    const { requestBudget } = this.#options
    if (this.#closed || this.#room || !requestBudget.isExceeded) return
    const room: RoomRequest = {
      neededBytes: 1,
      mayOverdraw: this.#splitter.pendingBytes > 0,
      go: (overdraws) => {
        this.#waitsForRoom = false
        if (!overdraws) this.#room = undefined
        this.#regulate()
      },
    }
    this.#room = room
    this.#waitsForRoom = true
    requestBudget.wait(room)
    this.#regulate()
  }

  #leaveRoom(): void {
    if (!this.#room) return
    const room = this.#room
    this.#room = undefined
    this.#waitsForRoom = false
    this.#options.requestBudget.leave(room)
  }

  #forgetFrames(): void {
    for (const frame of this.#frames.splice(0)) {
      this.#outstandingBytes -= frame.length + frameOverheadBytes
    }
    this.#arrivals.length = 0
    this.#splitter.clear()
    this.#blocks.clear()
    this.#decodedMemory.close()
    this.#count()
    this.#leaveRoom()
  }

  /** Stops reading above the limit, and goes on at half of it. */
  #regulate(): void {
    if (this.#closed) return
    const limit = this.#options.broker.config['socket.outstanding.max.bytes']
    const isFull = this.#outstandingBytes > (this.#paused ? limit / 2 : limit)
    const mustPause = isFull || this.#waitsForRoom
    if (mustPause === this.#paused) return
    this.#paused = mustPause
    if (mustPause) {
      this.#connection.pause()
    } else {
      this.#lastReceivedMs = this.#clock.monotonicMs()
      this.#connection.resume()
    }
  }

  #endWhenDrained(): void {
    if (this.#draining && !this.#closed && this.#slots.length === 0) this.#connection.end()
  }

  /** What the client did is its own end; anything else is ours, and must be seen. */
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
      this.#disconnect(`${error.message}: ask for less at once, or raise ${option}`, 'costly')
      return
    }
    const client = this.#connection.remoteAddress
    this.#logger.error({ client, error }, 'a request failed; its connection is closed')
    this.destroy('failed')
    if (error instanceof Error && 'code' in error && error.code === 'ASSERTION_FAILED') throw error
  }

  #disconnect(reason: string, kind: CloseReason): void {
    const client = this.#connection.remoteAddress
    this.#logger.warn({ client, reason }, 'a client is disconnected')
    this.destroy(kind)
  }

  /** One timer that looks again when there could be a reason to close at the earliest. */
  #watchIdleness(limitMs: number): void {
    const stall = this.#stallReason()
    const reason = stall ?? this.#idleReason(limitMs)
    if (reason !== undefined) {
      const client = this.#connection.remoteAddress
      this.#logger.info({ client, reason }, 'a quiet connection is closed')
      this.destroy(stall === undefined ? 'idle' : 'stalled')
      return
    }
    this.#idleTimer = this.#clock.setTimer(Math.min(limitMs, stalledMs), () =>
      this.#watchIdleness(limitMs),
    )
  }

  #idleReason(limitMs: number): string | undefined {
    if (this.#slots.length > 0 || this.#sinceMs(this.#lastActivityMs) < limitMs) return undefined
    return 'connections.max.idle.ms are over'
  }

  /** Half a request that does not go on, or an answer that is not read while others need its room. */
  #stallReason(): string | undefined {
    const isHalfWay = this.#splitter.pendingBytes > 0 && !this.#paused
    if (isHalfWay && this.#sinceMs(this.#lastReceivedMs) >= stalledMs) {
      return 'a request stopped half way'
    }
    const { unsentBytes, isScarce } = this.#answerMemory
    if (unsentBytes > 0 && isScarce && this.#sinceMs(this.#lastTakenMs) >= stalledMs) {
      return 'an answer is not read, and memory is scarce'
    }
    return undefined
  }

  #sinceMs(pastMs: number): number {
    return this.#clock.monotonicMs() - pastMs
  }
}
