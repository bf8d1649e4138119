// One end of a byte stream over a MessagePort; both ends are alike. Flow control by credit: at most
// about `windowBytes` are in flight, and the receiver returns credit as it delivers, so that a slow
// reader stops its writer in the other thread. Memory is never transferred unless the writer has
// given it up.

import type { MessagePort, Transferable } from 'node:worker_threads'
import { type Scheduler, systemScheduler } from '../scheduling/scheduler.ts'
import { type Connection, type ConnectionHandler, NetworkError } from './network.ts'
import { WriteReceipts } from './writeReceipts.ts'

export type PortMessage =
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'end'; readonly id: number }
  | { readonly kind: 'destroy'; readonly id: number; readonly reason: string | undefined }

const windowBytes = 1024 * 1024
/**
 * Small chunks are combined into messages of up to this size, because each message costs
 * microseconds.
 */
const messageBytes = 256 * 1024

export interface PortConnectionOptions {
  /** Whether chunks given to `write` belong to this connection, which may transfer their memory. */
  readonly transfer?: boolean
  /** Called when the other end has ended; without it, this end then ends too. */
  readonly onEnd?: () => void
  /** The system's scheduler unless given. */
  readonly scheduler?: Scheduler
}

export class PortConnection implements Connection {
  readonly remoteAddress: string
  /** False: memory may be transferred to the other thread. */
  readonly copiesOnWrite = false
  readonly #port: MessagePort
  readonly #id: number
  readonly #forget: (id: number) => void
  readonly #options: PortConnectionOptions
  readonly #scheduler: Scheduler
  #handler: ConnectionHandler | undefined
  #outbox: Uint8Array[] = []
  #outboxBytes = 0
  readonly #receipts = new WriteReceipts()
  #unackedBytes = 0
  #wantsDrain = false
  #ended = false
  #endSent = false
  #inbox: Uint8Array[] = []
  #inboxEnded = false
  #endTold = false
  #paused = false
  #closed = false
  #cause: Error | undefined

  constructor(
    port: MessagePort,
    id: number,
    remoteAddress: string,
    forget: (id: number) => void,
    options: PortConnectionOptions = {},
  ) {
    this.#port = port
    this.#id = id
    this.remoteAddress = remoteAddress
    this.#forget = forget
    this.#options = options
    this.#scheduler = options.scheduler ?? systemScheduler
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    this.#scheduler.soon(() => {
      if (this.#closed) this.#announceClose()
      else this.#deliver()
    })
  }

  write(chunks: readonly Uint8Array[], taken?: () => void): boolean {
    if (this.#closed || this.#ended) {
      if (taken) this.#scheduler.soon(taken)
      return false
    }
    let bytes = 0
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#outbox.push(chunk)
      bytes += chunk.length
    }
    this.#outboxBytes += bytes
    this.#receipts.wrote(bytes, taken)
    this.#send()
    const below = this.bufferedBytes <= windowBytes
    if (!below) this.#wantsDrain = true
    return below
  }

  get bufferedBytes(): number {
    return this.#outboxBytes + this.#unackedBytes
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#handler !== undefined) this.#scheduler.soon(() => this.#deliver())
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.#send()
    this.#closeWhenDone()
  }

  destroy(cause?: Error): void {
    if (this.#closed) return
    this.#post({ kind: 'destroy', id: this.#id, reason: cause?.message })
    this.#shut(cause)
  }

  /** Called when the port was closed, which ends all connections on it. */
  portClosed(): void {
    if (!this.#closed) this.#shut(this.#lost('the port of the worker thread was closed'))
  }

  /** Processes a message from the other end. */
  receive(message: PortMessage): void {
    if (this.#closed) return
    switch (message.kind) {
      case 'data':
        this.#inbox.push(message.bytes)
        this.#deliver()
        break
      case 'credit':
        this.#credited(message.bytes)
        break
      case 'end':
        this.#inboxEnded = true
        this.#deliver()
        break
      case 'destroy':
        this.#shut(this.#lost(message.reason ?? 'the other side closed it'))
    }
  }

  #send(): void {
    while (this.#outbox.length > 0 && this.#unackedBytes < windowBytes) {
      const bytes = this.#nextMessage()
      this.#outboxBytes -= bytes.length
      this.#unackedBytes += bytes.length
      this.#post({ kind: 'data', id: this.#id, bytes }, [bytes.buffer as ArrayBuffer])
    }
    if (this.#ended && !this.#endSent && this.#outbox.length === 0) {
      this.#endSent = true
      this.#post({ kind: 'end', id: this.#id })
    }
  }

  /** Removes and returns the first chunk if it can be transferred, otherwise a copy of several. */
  #nextMessage(): Uint8Array {
    const first = this.#outbox[0]!
    if (this.#options.transfer && ownsItsMemory(first)) return this.#outbox.shift()!
    let count = 0
    let length = 0
    while (count < this.#outbox.length) {
      const next = this.#outbox[count]!.length
      if (count > 0 && length + next > messageBytes) break
      length += next
      count++
    }
    const copy = new Uint8Array(length)
    let at = 0
    for (const chunk of this.#outbox.splice(0, count)) {
      copy.set(chunk, at)
      at += chunk.length
    }
    return copy
  }

  #credited(bytes: number): void {
    this.#unackedBytes -= bytes
    this.#receipts.took(bytes)
    this.#send()
    this.#closeWhenDone()
    if (this.#wantsDrain && this.bufferedBytes <= windowBytes) {
      this.#wantsDrain = false
      this.#handler?.onDrain()
    }
  }

  #deliver(): void {
    const handler = this.#handler
    if (handler === undefined || this.#closed) return
    let credit = 0
    while (this.#inbox.length > 0 && !this.#paused && !this.#closed) {
      const bytes = this.#inbox.shift()!
      credit += bytes.length
      handler.onData(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }
    if (this.#closed) return
    if (credit > 0) this.#post({ kind: 'credit', id: this.#id, bytes: credit })
    this.#closeWhenDone()
  }

  /** Closes the stream when both ends have ended and all bytes are delivered. */
  #closeWhenDone(): void {
    if (this.#closed || !this.#inboxEnded || this.#inbox.length > 0) return
    if (!this.#endTold) {
      this.#endTold = true
      if (this.#options.onEnd === undefined) this.end()
      else this.#options.onEnd()
    }
    if (this.#endSent && !this.#closed) this.#shut(undefined)
  }

  #post(message: PortMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer)
  }

  #shut(cause: Error | undefined): void {
    this.#closed = true
    this.#cause = cause
    this.#inbox = []
    this.#outbox = []
    this.#outboxBytes = 0
    this.#receipts.dropped()
    this.#forget(this.#id)
    if (this.#handler !== undefined) this.#scheduler.soon(() => this.#announceClose())
  }

  #announceClose(): void {
    const handler = this.#handler
    this.#handler = undefined
    handler?.onClose(this.#cause)
  }

  #lost(reason: string): NetworkError {
    return new NetworkError(
      'CONNECTION_LOST',
      `connection to ${this.remoteAddress} lost: ${reason}`,
    )
  }
}

function ownsItsMemory(chunk: Uint8Array): boolean {
  return chunk.byteOffset === 0 && chunk.byteLength === chunk.buffer.byteLength
}
