// One side of a simulated connection, in one process: calls its handler with what its pipe has
// received, as the Connection of production does.

import type { Connection, ConnectionHandler } from '../../../../protocol/runtime/network/network.ts'
import { NetworkError } from '../../../../protocol/runtime/network/network.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import type { Pipe } from './pipe.ts'

/** Bytes in the writer's queue above which `write` returns false. */
const highWaterBytes = 16 * 1024

export class Endpoint implements Connection {
  readonly copiesOnWrite = true
  readonly remoteAddress: string
  readonly process: SimulatedProcess
  readonly #name: string
  /** Called once, when this side has closed in whatever way. */
  readonly #onClosed: () => void
  #in!: Pipe
  #out!: Pipe
  #handler: ConnectionHandler | undefined
  #isPaused = false
  #hasEnded = false
  #isClosed = false
  #cause: Error | undefined
  #wantsDrain = false
  #isTurnDue = false
  readonly #forget: () => void

  constructor(process: SimulatedProcess, name: string, remote: string, onClosed: () => void) {
    this.process = process
    this.#name = name
    this.remoteAddress = remote
    this.#onClosed = onClosed
    this.#forget = process.atEnd((end) => this.#processEnded(end === 'power'))
  }

  join(incoming: Pipe, outgoing: Pipe): void {
    this.#in = incoming
    this.#out = outgoing
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get bufferedBytes(): number {
    return this.#out.queueBytes
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    if (this.#isClosed || this.#in.hasReceived || this.#in.end !== 'none') this.#turn()
  }

  write(chunks: readonly Uint8Array[], taken?: () => void): boolean {
    if (this.#isClosed || this.#hasEnded) {
      if (taken) this.process.runtime.scheduler.soon(taken)
      return false
    }
    this.#out.write(chunks, taken)
    const isBelow = this.#out.queueBytes <= highWaterBytes
    if (!isBelow) this.#wantsDrain = true
    return isBelow
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#in.hasReceived || this.#in.end !== 'none') this.#turn()
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#hasEnded = true
    this.#out.endAfterQueue()
  }

  destroy(cause?: Error): void {
    if (this.#isClosed) return
    this.#close(cause)
    this.#out.reset()
    this.#in.shut()
  }

  /** The network has broken the connection. */
  break(reason: string): void {
    this.destroy(connectionLost(this.remoteAddress, reason))
  }

  /** Something has arrived: the process sees it now, or when it continues. */
  arrived(): void {
    if (this.#handler === undefined || this.#isPaused || this.#isClosed || this.#isTurnDue) return
    if (this.process.isPaused) this.#turn()
    else this.#deliver()
  }

  drained(): void {
    if (!this.#wantsDrain || this.#out.queueBytes > highWaterBytes) return
    this.#wantsDrain = false
    this.process.schedule(0, 'net', `${this.#name} drained`, () => {
      if (!this.#isClosed) this.#handler?.onDrain()
    })
  }

  soon(callback: () => void): void {
    this.process.runtime.scheduler.soon(callback)
  }

  #turn(): void {
    if (this.#isTurnDue) return
    this.#isTurnDue = true
    this.process.schedule(0, 'net', `${this.#name} reads`, () => {
      this.#isTurnDue = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const handler = this.#handler
    if (handler === undefined) return
    while (!this.#isPaused && !this.#isClosed) {
      const chunk = this.#in.take()
      if (chunk === undefined) break
      handler.onData(chunk)
    }
    if (this.#isClosed) this.#announce()
    else if (this.#isPaused || this.#in.hasReceived) return
    else if (this.#in.end === 'reset') this.break('the other side closed it')
    else if (this.#in.end === 'end') this.#finish()
  }

  /** The other side has ended: this side sends what is queued, then ends too. */
  #finish(): void {
    this.end()
    this.#close(undefined)
    this.#in.shut()
  }

  /** Also called in the middle of a delivery, whose caller learns of it in an event of its own. */
  #close(cause: Error | undefined): void {
    this.#isClosed = true
    this.#cause = cause
    this.#forget()
    this.#onClosed()
    if (this.#handler) this.#turn()
  }

  #announce(): void {
    const handler = this.#handler
    if (handler === undefined || this.#isTurnDue) return
    this.#handler = undefined
    handler.onClose(this.#cause)
  }

  #processEnded(isPowerLoss: boolean): void {
    this.#isClosed = true
    this.#onClosed()
    if (isPowerLoss) this.#out.vanish()
    else this.#out.reset()
    this.#in.shut()
  }
}

export function connectionLost(place: string, reason: string): NetworkError {
  return new NetworkError('CONNECTION_LOST', `connection to ${place} lost: ${reason}`)
}
