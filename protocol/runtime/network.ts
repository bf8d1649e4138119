// Byte streams as a thing that is handed in: TCP between hosts, pairs of in-memory streams inside
// one process, a MessagePort into a worker thread, and later a simulator's lossy links.

import { CodedError } from './codedError.ts'

/** Host, by name or by address, and port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Set once, with `start`, before any data is delivered. No call comes after `onClose`. */
export interface ConnectionHandler {
  /** `chunk` belongs to the receiver, which may keep it: its bytes are never reused. */
  onData(chunk: Buffer): void
  /** The write buffer is below its high-water mark again. */
  onDrain(): void
  /** The stream has ended: in order (no cause), or broken. */
  onClose(cause?: Error): void
}

export interface Connection {
  /** `host:port` of the other side, for logs. */
  readonly remoteAddress: string
  start(handler: ConnectionHandler): void
  /**
   * Queues the chunks, which must not change afterwards. False: more than `highWaterBytes` wait to
   * be sent, so the writer should hold back until `onDrain`. `taken` is called once, later, when the
   * other side or the operating system has the last byte of them, or when they were dropped.
   */
  write(chunks: readonly Uint8Array[], taken?: () => void): boolean
  /** Whether what has been `taken` may be overwritten: nobody else holds those chunks. */
  readonly copiesOnWrite: boolean
  /** Bytes accepted by `write` and not yet handed to the other side or the operating system. */
  readonly bufferedBytes: number
  /** Stops `onData` (and so, in time, the other side's writes) until `resume`. */
  pause(): void
  resume(): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes at once; what is queued is dropped. */
  destroy(cause?: Error): void
}

export interface Listener {
  /** The address really bound: the port is known here when 0 was asked for. */
  readonly address: Address
  /** Stops accepting. Open connections stay. */
  close(): Promise<void>
}

export interface Network {
  /** Fails with a NetworkError whose message says what to check. */
  connect(address: Address, timeoutMs: number): Promise<Connection>
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
}

/** Why a connection failed. */
export type NetworkErrorCode =
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_NOT_AVAILABLE'
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_TIMEOUT'
  | 'CONNECTION_LOST'

/** A connection that could not be made, or was lost. */
export class NetworkError extends CodedError<NetworkErrorCode> {}
