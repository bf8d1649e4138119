// Implements Network with node:net. The only file that opens a socket for the Kafka protocol. Must
// never copy a chunk, and never hide a failed write.

import net from 'node:net'
import { systemScheduler } from '../scheduling/scheduler.ts'
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Network,
  NetworkError,
  type NetworkErrorCode,
} from './network.ts'
import { addressInUse, hostPort } from './networkErrors.ts'
import { ReceiveBuffer } from './receiveBuffer.ts'

/** Buffered bytes above which `write` returns false; two large fetch responses fit below. */
const highWaterBytes = 1024 * 1024
const keepAliveDelayMs = 30_000
const backlog = 512

class TcpConnection implements Connection {
  readonly remoteAddress: string
  readonly copiesOnWrite = true
  readonly #socket: net.Socket
  #handler: ConnectionHandler | undefined
  #cause: Error | undefined
  #closed = false
  #wantsDrain = false
  #isHeldBack = false

  constructor(socket: net.Socket, remoteAddress: string) {
    this.#socket = socket
    this.remoteAddress = remoteAddress
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelayMs)
    socket.on('error', (error) => {
      this.#cause ??= lost(remoteAddress, error)
    })
    socket.on('close', () => this.#close())
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    if (this.#closed) {
      systemScheduler.soon(() => handler.onClose(this.#cause))
      return
    }
    this.#socket.on('data', (chunk: Buffer) => this.received(chunk))
    this.#socket.on('drain', () => this.#drained(handler))
    this.#socket.resume()
  }

  /** Delivers received bytes; never called before `start`. */
  received(chunk: Buffer): void {
    // After `destroy`, the socket may still deliver a chunk that it read before.
    if (!this.#socket.destroyed) this.#handler?.onData(chunk)
  }

  write(chunks: readonly Uint8Array[], taken?: () => void): boolean {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) {
      if (taken) systemScheduler.soon(taken)
      return false
    }
    this.#holdBack()
    const last = chunks.length - 1
    // The callback is also called, with an error, for chunks that are dropped by `destroy`.
    for (const [at, chunk] of chunks.entries()) socket.write(chunk, at === last ? taken : undefined)
    const below = socket.writableLength <= highWaterBytes
    if (!below) this.#wantsDrain = true
    return below
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(cause?: Error): void {
    if (this.#socket.destroyed) return
    this.#cause ??= cause
    this.#socket.destroy()
  }

  /** Corks the socket until the end of the current tick, so that its writes share one writev. */
  #holdBack(): void {
    if (this.#isHeldBack) return
    this.#isHeldBack = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#isHeldBack = false
      this.#socket.uncork()
    })
  }

  #drained(handler: ConnectionHandler): void {
    if (!this.#wantsDrain || this.#socket.destroyed) return
    this.#wantsDrain = false
    handler.onDrain()
  }

  #close(): void {
    this.#closed = true
    this.#handler?.onClose(this.#cause)
  }
}

export const tcpNetwork: Network = {
  connect(address, timeoutMs) {
    return new Promise((resolve, reject) => {
      let connection: TcpConnection | undefined
      const buffer = new ReceiveBuffer()
      const onread = {
        buffer: () => buffer.space(),
        callback: (bytes: number) => {
          connection?.received(buffer.received(bytes))
          return true
        },
      }
      const socket = net.connect({ host: address.host, port: address.port, onread })
      // Paused until there is a handler.
      socket.pause()
      const fail = (error: Error) => {
        clearTimeout(timer)
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => fail(connectTimeout(address, timeoutMs)), timeoutMs)
      const onError = (error: Error) => fail(connectFailure(address, error))
      socket.once('error', onError)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', onError)
        connection = new TcpConnection(socket, hostPort(address))
        resolve(connection)
      })
    })
  },

  listen(address, onConnection) {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ pauseOnConnect: true }, (socket) => {
        const remote = { host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 }
        onConnection(new TcpConnection(socket, hostPort(remote)))
      })
      const onError = (error: Error) => reject(listenFailure(address, error))
      server.once('error', onError)
      server.listen({ host: address.host, port: address.port, backlog }, () => {
        server.off('error', onError)
        resolve(tcpListener(server, address))
      })
    })
  },
}

function tcpListener(server: net.Server, asked: Address): Listener {
  const bound = server.address() as net.AddressInfo
  let closing: Promise<void> | undefined
  return {
    address: { host: asked.host, port: bound.port },
    close() {
      // The callback of net.Server.close would wait for open connections, which stay open here; the
      // port is free as soon as `close` returns.
      closing ??= Promise.resolve(void server.close())
      return closing
    },
  }
}

function systemCode(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name
}

function connectTimeout(address: Address, timeoutMs: number): NetworkError {
  return new NetworkError(
    'CONNECTION_TIMEOUT',
    `failed to connect to ${hostPort(address)} within ${timeoutMs} ms: check the address, and that no firewall drops packets`,
  )
}

function connectFailure(address: Address, error: Error): NetworkError {
  const place = hostPort(address)
  const failures: Record<string, [NetworkErrorCode, string]> = {
    ECONNREFUSED: [
      'CONNECTION_REFUSED',
      `connection to ${place} refused: check that the server is running, and its host and port`,
    ],
    ETIMEDOUT: [
      'CONNECTION_TIMEOUT',
      `connection to ${place} timed out: check the address and firewalls`,
    ],
    ENOTFOUND: [
      'ADDRESS_NOT_AVAILABLE',
      `failed to connect to ${place}: unknown host name; check its spelling`,
    ],
    EAI_AGAIN: [
      'ADDRESS_NOT_AVAILABLE',
      `failed to connect to ${place}: cannot resolve the host name; check DNS`,
    ],
    EHOSTUNREACH: ['ADDRESS_NOT_AVAILABLE', `no route to ${place}: check the network`],
    ENETUNREACH: ['ADDRESS_NOT_AVAILABLE', `no route to ${place}: check the network`],
  }
  const [code, message] = failures[systemCode(error)] ?? [
    'CONNECTION_LOST',
    `failed to connect to ${place} (${systemCode(error)}): check the server's log`,
  ]
  return new NetworkError(code, message, error)
}

function listenFailure(address: Address, error: Error): NetworkError {
  const place = hostPort(address)
  if (systemCode(error) === 'EADDRINUSE') return addressInUse(address, error)
  const reason =
    systemCode(error) === 'EACCES'
      ? 'permission denied; use a port above 1023'
      : `${systemCode(error)}; check that the host is an address of this machine`
  return new NetworkError('ADDRESS_NOT_AVAILABLE', `cannot listen on ${place}: ${reason}`, error)
}

function lost(place: string, error: Error): NetworkError {
  return new NetworkError(
    'CONNECTION_LOST',
    `connection to ${place} lost (${systemCode(error)}): check that the other side is running`,
    error,
  )
}
