// Byte streams inside one process: pairs of connections that pass chunks by reference. Invariants:
// a chunk is never delivered within the call that wrote it, so events have the same order as over
// TCP; each delivery is a turn of the event loop, so a busy connection does not starve others.

import { type Scheduler, systemScheduler } from '../scheduling/scheduler.ts'
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Network,
  NetworkError,
} from './network.ts'
import { addressInUse, hostPort } from './networkErrors.ts'
import type { Direction, NetworkFaults } from './networkFaults.ts'
import { WriteReceipts } from './writeReceipts.ts'

export interface MemoryNetworkOptions {
  /** Undelivered bytes above which `write` returns false. */
  readonly highWaterBytes?: number
  /** The system's scheduler unless given. */
  readonly scheduler?: Scheduler
  /**
   * Simulated faults; without them there are none, and connections open or fail in the next turn.
   */
  readonly faults?: NetworkFaults
}

const defaultHighWaterBytes = 1024 * 1024
/** Limit on the bytes delivered in one turn, for fairness between connections. */
const turnBytes = 512 * 1024
/** First port for listeners on port 0: above the ephemeral range of most systems. */
const firstEphemeralPort = 61_000

/**
 * Returns a network with its own listeners. The receiver of a chunk shares its memory with the
 * sender, which may keep it for a retry: a receiver may overwrite only fields in which a retry may
 * differ.
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): Network {
  const highWaterBytes = options.highWaterBytes ?? defaultHighWaterBytes
  const scheduler = options.scheduler ?? systemScheduler
  const { faults } = options
  const listeners = new Map<string, (connection: Connection) => void>()
  let clientPort = 0
  let nextPort = firstEphemeralPort

  function bind(address: Address): Address {
    if (address.port !== 0) return address
    while (listeners.has(hostPort({ host: address.host, port: nextPort }))) nextPort++
    return { host: address.host, port: nextPort++ }
  }

  return {
    connect(address, timeoutMs) {
      const place = hostPort(address)
      return new Promise((resolve, reject) => {
        const connectNow = () => {
          const accept = listeners.get(place)
          if (accept === undefined) return reject(connectionRefused(address))
          const client = new MemoryConnection(place, highWaterBytes, scheduler)
          const server = new MemoryConnection(`memory:${++clientPort}`, highWaterBytes, scheduler)
          client.pairWith(server)
          if (faults !== undefined) {
            client.subjectTo(faults, place, 'out')
            server.subjectTo(faults, place, 'in')
          }
          accept(server)
          resolve(client)
        }
        if (faults === undefined) scheduler.later(connectNow)
        else connectThrough(faults, address, timeoutMs, connectNow, reject)
      })
    },

    async listen(address, onConnection): Promise<Listener> {
      const bound = bind(address)
      const key = hostPort(bound)
      if (listeners.has(key)) throw addressInUse(bound)
      listeners.set(key, onConnection)
      return {
        address: bound,
        async close() {
          if (listeners.get(key) === onConnection) listeners.delete(key)
        },
      }
    },
  }
}

/**
 * Connects after one round trip; fails at the timeout when a cut or the latency delays it for
 * longer.
 */
function connectThrough(
  faults: NetworkFaults,
  address: Address,
  timeoutMs: number,
  connectNow: () => void,
  reject: (error: Error) => void,
): void {
  const { clock, latencyMs } = faults
  const isUnreachable = faults.isUnreachable(hostPort(address))
  const roundTripMs = isUnreachable ? Number.POSITIVE_INFINITY : 2 * latencyMs
  if (roundTripMs < timeoutMs) clock.setTimer(roundTripMs, connectNow)
  else clock.setTimer(timeoutMs, () => reject(connectTimeout(address, timeoutMs)))
}

function connectTimeout(address: Address, timeoutMs: number): NetworkError {
  return new NetworkError(
    'CONNECTION_TIMEOUT',
    `failed to connect to ${hostPort(address)} within ${timeoutMs} ms: check the address and the network`,
  )
}

function connectionRefused(address: Address): NetworkError {
  return new NetworkError(
    'CONNECTION_REFUSED',
    `connection to ${hostPort(address)} in this process refused: check that the server is running, and its host and port`,
  )
}

class MemoryConnection implements Connection {
  readonly remoteAddress: string
  readonly copiesOnWrite = false
  readonly #highWaterBytes: number
  readonly #scheduler: Scheduler
  #peer!: MemoryConnection
  #handler: ConnectionHandler | undefined
  /** Chunks of the peer that are not delivered to `onData` yet. */
  #inbox: Uint8Array[] = []
  #inboxBytes = 0
  #inboxEnded = false
  #paused = false
  #ended = false
  #closed = false
  #cause: Error | undefined
  #wantsDrain = false
  #scheduled = false
  #faults: NetworkFaults | undefined
  #place = ''
  /** Direction of the bytes that arrive at this side, as seen from the listening address. */
  #inbound: Direction = 'in'
  #forgotten: (() => void) | undefined
  readonly #receipts = new WriteReceipts()

  constructor(remoteAddress: string, highWaterBytes: number, scheduler: Scheduler) {
    this.remoteAddress = remoteAddress
    this.#highWaterBytes = highWaterBytes
    this.#scheduler = scheduler
  }

  pairWith(peer: MemoryConnection): void {
    this.#peer = peer
    peer.#peer = this
  }

  /** Applies faults to everything that arrives here from now on. */
  subjectTo(faults: NetworkFaults, place: string, inbound: Direction): void {
    this.#faults = faults
    this.#place = place
    this.#inbound = inbound
    this.#forgotten = faults.opened(place, {
      destroy: (cause) => this.destroy(cause ?? connectionLost(this.remoteAddress)),
      wake: () => this.#wake(),
    })
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    this.#wake()
  }

  write(chunks: readonly Uint8Array[], taken?: () => void): boolean {
    if (this.#closed || this.#ended) {
      if (taken) this.#scheduler.soon(taken)
      return false
    }
    const peer = this.#peer
    let bytes = 0
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      peer.#inbox.push(chunk)
      bytes += chunk.length
    }
    peer.#inboxBytes += bytes
    this.#receipts.wrote(bytes, taken)
    peer.#wake()
    const below = peer.#inboxBytes <= this.#highWaterBytes
    if (!below) this.#wantsDrain = true
    return below
  }

  get bufferedBytes(): number {
    return this.#peer.#inboxBytes
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#wake()
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.#peer.#inboxEnded = true
    this.#peer.#wake()
  }

  destroy(cause?: Error): void {
    if (this.#closed) return
    const peer = this.#peer
    this.#shut(cause)
    if (!peer.#closed) peer.#shut(connectionLost(peer.remoteAddress))
  }

  /** Drops the queued chunks for this side and calls `onClose` in a turn of its own. */
  #shut(cause: Error | undefined): void {
    this.#closed = true
    this.#cause = cause
    this.#forgotten?.()
    this.#inbox = []
    this.#inboxBytes = 0
    this.#receipts.dropped()
    this.#wake()
  }

  #wake(): void {
    if (this.#scheduled || this.#handler === undefined) return
    if (this.#paused && !this.#closed) return
    const faults = this.#faults
    if (!this.#closed && faults?.isCut(this.#place, this.#inbound)) return
    this.#scheduled = true
    if (faults === undefined || faults.latencyMs === 0) this.#scheduler.later(this.#turn)
    else faults.clock.setTimer(faults.latencyMs, this.#turn)
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    const handler = this.#handler!
    if (this.#closed) {
      this.#announceClose(handler)
      return
    }
    // Cut in the meantime: delivered when the direction is healed.
    if (this.#faults?.isCut(this.#place, this.#inbound)) return
    // If the delivery closed this side, `onClose` is called in a turn of its own.
    this.#deliver(handler)
    if (!this.#closed) this.#settle()
  }

  #deliver(handler: ConnectionHandler): void {
    const inbox = this.#inbox
    let taken = 0
    let bytes = 0
    while (taken < inbox.length && bytes < turnBytes && !this.#paused && !this.#closed) {
      const chunk = inbox[taken++]!
      bytes += chunk.length
      this.#inboxBytes -= chunk.length
      this.#peer.#receipts.took(chunk.length)
      handler.onData(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    }
    if (!this.#closed) inbox.splice(0, taken)
  }

  /**
   * After a delivery: calls `onDrain` of the writer, schedules another turn, or ends the stream.
   */
  #settle(): void {
    const peer = this.#peer
    if (peer.#wantsDrain && this.#inboxBytes <= this.#highWaterBytes) {
      peer.#wantsDrain = false
      if (!peer.#closed) peer.#handler?.onDrain()
    }
    if (this.#closed || this.#paused) return
    if (this.#inbox.length > 0) {
      this.#wake()
    } else if (this.#inboxEnded) {
      // The other side has ended: this side sends its queued bytes and ends too.
      this.end()
      this.#shut(undefined)
    }
  }

  #announceClose(handler: ConnectionHandler): void {
    this.#handler = undefined
    handler.onClose(this.#cause)
  }
}

function connectionLost(place: string): NetworkError {
  return new NetworkError(
    'CONNECTION_LOST',
    `connection to ${place} lost: the other side closed it before all bytes were sent`,
  )
}
