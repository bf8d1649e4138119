// Byte streams between hosts: node:net behind the Network interface. The only file that opens a
// socket for the Kafka protocol. It must never copy a chunk, and never hide a failed write.

import net from 'node:net'
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
import { systemScheduler } from './scheduler.ts'

/** Past this, `write` asks its caller to hold back. Two large fetch answers fit below it. */
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

  /** Bytes of the other side; none come before `start`. */
  received(chunk: Buffer): void {
    // After `destroy` the socket may still hold a chunk that it had read before.
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
    // Also called, with an error, for what is dropped when the socket is destroyed.
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

  /** Everything that is written in one turn of the event loop leaves in one writev at its end. */
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
      // Nothing is read before there is a handler.
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
      // net.Server's own callback waits for open connections, which are not the listener's to end:
      // the port is free as soon as `close` returns.
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
    `${hostPort(address)} did not answer within ${timeoutMs} ms: check the address, and that no firewall drops the packets`,
  )
}

function connectFailure(address: Address, error: Error): NetworkError {
  const place = hostPort(address)
  const failures: Record<string, [NetworkErrorCode, string]> = {
    ECONNREFUSED: [
      'CONNECTION_REFUSED',
      `nobody listens at ${place}: check that the server runs, and its host and port`,
    ],
    ETIMEDOUT: ['CONNECTION_TIMEOUT', `${place} did not answer: check the address and firewalls`],
    ENOTFOUND: [
      'ADDRESS_NOT_AVAILABLE',
      `the host name of ${place} is unknown: check its spelling`,
    ],
    EAI_AGAIN: ['ADDRESS_NOT_AVAILABLE', `the host name of ${place} cannot be resolved: check DNS`],
    EHOSTUNREACH: ['ADDRESS_NOT_AVAILABLE', `no route to ${place}: check the network`],
    ENETUNREACH: ['ADDRESS_NOT_AVAILABLE', `no route to ${place}: check the network`],
  }
  const [code, message] = failures[systemCode(error)] ?? [
    'CONNECTION_LOST',
    `connecting to ${place} failed (${systemCode(error)}): check the server's log`,
  ]
  return new NetworkError(code, message, error)
}

function listenFailure(address: Address, error: Error): NetworkError {
  const place = hostPort(address)
  if (systemCode(error) === 'EADDRINUSE') return addressInUse(address, error)
  const reason =
    systemCode(error) === 'EACCES'
      ? 'this user may not: choose a port above 1023'
      : `${systemCode(error)}: check that the host is an address of this machine`
  return new NetworkError('ADDRESS_NOT_AVAILABLE', `cannot listen at ${place} (${reason})`, error)
}

function lost(place: string, error: Error): NetworkError {
  return new NetworkError(
    'CONNECTION_LOST',
    `the connection to ${place} broke (${systemCode(error)}): check that the other side still runs`,
    error,
  )
}
