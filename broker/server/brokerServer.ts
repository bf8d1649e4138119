// The listeners of a broker and the connections that they accepted, with the memory budgets that
// all connections share. Invariant: a client is only ever sent the address that its own listener
// advertises.

import type { Address, Connection, Listener } from '../../protocol/runtime/network/network.ts'
import type { BrokerListener } from '../configuration/listeners.ts'
import { ClientConnection, type CloseReason } from './connection/clientConnection.ts'
import { ConnectionLimits } from './connection/connectionLimits.ts'
import { ConnectionPace } from './connection/connectionPace.ts'
import { MemoryBudget } from './memory/memoryBudget.ts'
import { ReadBuffers } from './memory/readBuffers.ts'
import type { BrokerParts } from './request/requestContext.ts'

/**
 * Memory for read buffers that is kept between fetches, in bytes: enough for a few busy consumers.
 */
const keptReadBufferBytes = 32 * 1024 * 1024

interface OpenListener {
  readonly name: string
  readonly listener: Listener
  readonly advertised: Address
  readonly isInProcess: boolean
}

/** The counters of one listener. */
export interface ListenerFigures {
  readonly name: string
  open: number
  accepted: number
  /** Connections that were read only after a delay (max.connection.creation.rate). */
  delayed: number
}

/** The state of a memory budget that all clients share. */
export interface BudgetFigures {
  readonly name: string
  readonly usedBytes: number
  /** Infinity without a limit. */
  readonly limitBytes: number
  readonly waits: number
}

export class BrokerServer {
  readonly #broker: BrokerParts
  readonly #listeners: OpenListener[] = []
  readonly #connections = new Set<ClientConnection>()
  readonly #limits: ConnectionLimits
  readonly #pace: ConnectionPace
  readonly #requestBudget: MemoryBudget
  readonly #decodedBudget: MemoryBudget
  readonly #answerBudget: MemoryBudget
  readonly #readBuffers = new ReadBuffers(keptReadBufferBytes)
  readonly #figures: ListenerFigures[] = []
  /** Number of connections that ended, by reason. */
  readonly closed = new Map<CloseReason, number>()
  #onEmpty: (() => void) | undefined

  constructor(broker: BrokerParts) {
    const { config } = broker
    this.#broker = broker
    this.#limits = new ConnectionLimits(broker)
    this.#pace = new ConnectionPace(broker)
    this.#requestBudget = new MemoryBudget(limitOf(config['queued.max.request.bytes']))
    this.#decodedBudget = new MemoryBudget(limitOf(config['queued.max.request.bytes']))
    this.#answerBudget = new MemoryBudget(limitOf(config['queued.max.response.bytes']))
  }

  get listenerFigures(): readonly ListenerFigures[] {
    return this.#figures
  }

  get budgets(): BudgetFigures[] {
    return [
      budgetFigures('requests', this.#requestBudget),
      budgetFigures('decoded', this.#decodedBudget),
      budgetFigures('responses', this.#answerBudget),
    ]
  }

  /** Number of refused connections, by the option whose limit was reached. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#limits.refusals
  }

  get connections(): Iterable<Pick<ClientConnection, 'pendingRequests' | 'isPaused'>> {
    return this.#connections
  }

  /** The listeners that clients in other processes can connect to. */
  get listeners(): { name: string; address: Address; advertised: Address }[] {
    const open = this.#listeners.filter(({ isInProcess }) => !isInProcess)
    return open.map(({ name, listener, advertised }) => {
      return { name, address: listener.address, advertised }
    })
  }

  /** Opens a listener. Fails with a NetworkError when the address cannot be bound. */
  async listen(options: BrokerListener): Promise<void> {
    const { name, network, address, isInProcess = false } = options
    let { advertised } = options
    const figures = { name, open: 0, accepted: 0, delayed: 0 }
    const listener = await network.listen(address, (connection) =>
      this.#accept(connection, advertised ?? address, figures),
    )
    this.#figures.push(figures)
    advertised ??= listener.address
    this.#listeners.push({ name, listener, advertised, isInProcess })
  }

  /** Stops accepting connections and requests; requests in flight are still answered. */
  async drain(): Promise<void> {
    for (const connection of this.#connections) connection.drain()
    await Promise.all(this.#listeners.map(({ listener }) => listener.close()))
    // Connections that were accepted while the listeners were closing.
    for (const connection of this.#connections) connection.drain()
  }

  /**
   * Waits until all requests in flight are answered, for `timeoutMs` at most, then closes the
   * remaining connections.
   */
  async close(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#broker.clock.setTimer(timeoutMs, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
    for (const connection of [...this.#connections]) connection.destroy()
  }

  #accept(connection: Connection, advertised: Address, figures: ListenerFigures): void {
    const { remoteAddress } = connection
    if (!this.#limits.admit(remoteAddress)) {
      connection.destroy()
      return
    }
    const waitMs = this.#pace.nextWaitMs()
    if (waitMs === undefined) {
      this.#limits.refuse(remoteAddress, 'max.connection.creation.rate')
      this.#limits.left(remoteAddress)
      connection.destroy()
      return
    }
    const client = new ClientConnection(connection, {
      broker: this.#broker,
      advertised,
      requestBudget: this.#requestBudget,
      decodedBudget: this.#decodedBudget,
      answerBudget: this.#answerBudget,
      readBuffers: this.#readBuffers,
      onClosed: (reason) => {
        figures.open--
        this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
        this.#limits.left(remoteAddress)
        this.#connections.delete(client)
        if (this.#connections.size === 0) this.#onEmpty?.()
      },
    })
    figures.open++
    figures.accepted++
    if (waitMs > 0) figures.delayed++
    this.#connections.add(client)
    client.start(waitMs)
  }
}

function budgetFigures(name: string, budget: MemoryBudget): BudgetFigures {
  const { usedBytes, limitBytes, waits } = budget
  return { name, usedBytes, limitBytes, waits }
}

function limitOf(bytes: number): number {
  return bytes === -1 ? Infinity : bytes
}
