// The network of a worker thread: connects over a MessagePort through the network of the main
// thread. Connections are multiplexed over the port, each with its own window (portConnection.ts).
// A worker cannot listen.

import type { MessagePort } from 'node:worker_threads'
import {
  type Address,
  type Connection,
  type Network,
  NetworkError,
  type NetworkErrorCode,
} from './network.ts'
import { hostPort } from './networkErrors.ts'
import { PortConnection, type PortMessage } from './portConnection.ts'

type OpenMessage = {
  readonly kind: 'connect'
  readonly id: number
  readonly address: Address
  readonly timeoutMs: number
}
type OpenedMessage = { readonly kind: 'connected'; readonly id: number; readonly remote: string }
type FailedMessage = {
  readonly kind: 'failed'
  readonly id: number
  readonly code: NetworkErrorCode
  readonly message: string
}
type Message = PortMessage | OpenMessage | OpenedMessage | FailedMessage

interface Opening {
  readonly address: Address
  resolve(connection: Connection): void
  reject(error: Error): void
}

/**
 * The worker's side. The port keeps the worker alive only while a connection is open or opening.
 */
export function portNetwork(port: MessagePort): Network {
  const opening = new Map<number, Opening>()
  const open = new Map<number, PortConnection>()
  let lastId = 0
  let portClosed = false

  function forget(id: number): void {
    open.delete(id)
    if (open.size === 0 && opening.size === 0) port.unref()
  }

  port.on('message', (message: Message) => {
    const waiting = opening.get(message.id)
    if (message.kind === 'connected' && waiting !== undefined) {
      opening.delete(message.id)
      const connection = new PortConnection(port, message.id, message.remote, forget)
      open.set(message.id, connection)
      waiting.resolve(connection)
    } else if (message.kind === 'failed' && waiting !== undefined) {
      opening.delete(message.id)
      forget(message.id)
      waiting.reject(new NetworkError(message.code, message.message))
    } else {
      open.get(message.id)?.receive(message as PortMessage)
    }
  })
  port.on('close', () => {
    portClosed = true
    for (const waiting of opening.values()) waiting.reject(portGone(waiting.address))
    opening.clear()
    for (const connection of [...open.values()]) connection.portClosed()
  })
  port.unref()

  return {
    connect(address, timeoutMs) {
      if (portClosed) return Promise.reject(portGone(address))
      return new Promise((resolve, reject) => {
        const id = ++lastId
        port.ref()
        opening.set(id, { address, resolve, reject })
        port.postMessage({ kind: 'connect', id, address, timeoutMs } satisfies OpenMessage)
      })
    },
    listen(address) {
      return Promise.reject(
        new NetworkError(
          'ADDRESS_NOT_AVAILABLE',
          `cannot listen at ${hostPort(address)} in a worker thread: listen in the main thread`,
        ),
      )
    },
  }
}

export interface ServePortOptions {
  /**
   * Whether received memory is transferred to the worker instead of copied. Only for a network
   * whose chunks have no other holder (TCP): with memoryNetwork, the sender would lose bytes that
   * it may retry.
   */
  readonly transfer?: boolean
}

/** The main thread's side: opens the worker's connections on `network` and forwards their bytes. */
export function servePortNetwork(
  port: MessagePort,
  network: Network,
  options: ServePortOptions = {},
): { close(): void } {
  const open = new Map<number, PortConnection>()
  const forget = (id: number) => void open.delete(id)
  let closed = false

  async function connect({ id, address, timeoutMs }: OpenMessage): Promise<void> {
    let outer: Connection
    try {
      outer = await network.connect(address, timeoutMs)
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      const { code, message } = error
      if (!closed) port.postMessage({ kind: 'failed', id, code, message } satisfies FailedMessage)
      return
    }
    if (closed) return outer.destroy()
    const inner = new PortConnection(port, id, `worker:${id}`, forget, {
      transfer: options.transfer ?? false,
      // Half-close: the worker has ended, and the server's remaining bytes are still forwarded.
      onEnd: () => outer.end(),
    })
    open.set(id, inner)
    const remote = outer.remoteAddress
    port.postMessage({ kind: 'connected', id, remote } satisfies OpenedMessage)
    splice(inner, outer)
  }

  function onMessage(message: Message): void {
    if (message.kind === 'connect') void connect(message)
    else open.get(message.id)?.receive(message as PortMessage)
  }
  function close(): void {
    if (closed) return
    closed = true
    port.off('message', onMessage)
    for (const connection of [...open.values()]) connection.portClosed()
    port.close()
  }
  port.on('message', onMessage)
  port.on('close', close)
  // The worker keeps the process alive; its port must not.
  port.unref()
  return { close }
}

/** Forwards bytes between two connections, with backpressure. */
function splice(one: Connection, other: Connection): void {
  const carry = (from: Connection, to: Connection) =>
    from.start({
      onData: (chunk) => {
        if (!to.write([chunk])) from.pause()
      },
      onDrain: () => to.resume(),
      onClose: (cause) => (cause === undefined ? to.end() : to.destroy(cause)),
    })
  carry(one, other)
  carry(other, one)
}

function portGone(address: Address): NetworkError {
  return new NetworkError(
    'CONNECTION_LOST',
    `cannot connect to ${hostPort(address)}: the port to the main thread is closed; the program is stopping`,
  )
}
