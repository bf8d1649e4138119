// The interface to byte streams, passed in through constructors: TCP between hosts (tcpNetwork.ts),
// pairs of in-memory streams inside one process (memoryNetwork.ts), a MessagePort of a worker
// thread (portNetwork.ts).

import { CodedError } from '../codedError.ts'

/** A host, by name or IP address, and a port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Set once, with `start`, before any data is delivered. Never called after `onClose`. */
export interface ConnectionHandler {
  /** `chunk` belongs to the receiver, which may keep it: its memory is never reused. */
  onData(chunk: Buffer): void
  /** The write buffer has fallen below its high-water mark. */
  onDrain(): void
  /** The stream has ended; with a cause if it broke. */
  onClose(cause?: Error): void
}

export interface Connection {
  /** `host:port` of the other side, for messages. */
  readonly remoteAddress: string
  start(handler: ConnectionHandler): void
  /**
   * Queues the chunks, which must not change afterwards. Returns false when the write buffer is
   * above its high-water mark; the writer should then wait for `onDrain`. `taken` is called once,
   * asynchronously, when the other side or the operating system has all of their bytes, or when
   * they were dropped.
   */
  write(chunks: readonly Uint8Array[], taken?: () => void): boolean
  /**
   * Whether chunks may be overwritten once they are `taken`; otherwise the receiver may hold them.
   */
  readonly copiesOnWrite: boolean
  /** Bytes given to `write` that neither the other side nor the operating system has yet. */
  readonly bufferedBytes: number
  /** Stops `onData`, and by backpressure the writes of the other side, until `resume`. */
  pause(): void
  resume(): void
  /** Sends the queued bytes, then closes. */
  end(): void
  /** Closes immediately and drops the queued bytes. */
  destroy(cause?: Error): void
}

export interface Listener {
  /** The bound address, with the actual port for a requested port 0. */
  readonly address: Address
  /** Stops accepting connections. Open connections stay open. */
  close(): Promise<void>
}

export interface Network {
  /** Opens a connection. Fails with a NetworkError, whose message says what to check. */
  connect(address: Address, timeoutMs: number): Promise<Connection>
  /** Listens on an address; port 0 selects a free port. Fails with a NetworkError. */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
}

/** Codes of NetworkError. */
export type NetworkErrorCode =
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_NOT_AVAILABLE'
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_TIMEOUT'
  | 'CONNECTION_LOST'

/** A connection could not be opened, or was lost. */
export class NetworkError extends CodedError<NetworkErrorCode> {}
