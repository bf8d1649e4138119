// The listeners of a broker and the clients that came through them. Every listener has an address
// of its own that its clients are told: a client that came in by one door is never sent to another.

import type { Address, Connection, Listener, Network } from '../../protocol/runtime/network.ts'
import { ClientConnection, type CloseReason } from './clientConnection.ts'
import { ConnectionLimits } from './connectionLimits.ts'
import { ConnectionPace } from './connectionPace.ts'
import { MemoryBudget } from './memoryBudget.ts'
import { ReadBuffers } from './readBuffers.ts'
import type { BrokerParts } from './requestContext.ts'

/** Memory kept between fetches: for some consumers in full flow. */
const keptReadBufferBytes = 32 * 1024 * 1024

export interface BrokerListener {
  readonly name: string
  readonly network: Network
  /** Port 0 asks for a free one. */
  readonly address: Address
  /** What clients are told to connect to; without it, the address that was bound. */
  readonly advertised?: Address
  /** For parts of the same process: nobody else can connect to it, so it is not shown as an address. */
  readonly isInProcess?: boolean
}

interface OpenListener {
  readonly name: string
  readonly listener: Listener
  readonly advertised: Address
  readonly isInProcess: boolean
}

/** What is counted of one listener, by its name. */
export interface ListenerFigures {
  readonly name: string
  open: number
  accepted: number
  /** Accepted, but not served at once. */
  delayed: number
}

/** One of the budgets of memory that all clients share. */
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
  /** Connections that ended, by the reason. */
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

  /** Clients not served, by the option whose limit was reached. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#limits.refusals
  }

  get connections(): Iterable<Pick<ClientConnection, 'pendingRequests' | 'isPaused'>> {
    return this.#connections
  }

  /** Those that clients can connect to. */
  get listeners(): { name: string; address: Address; advertised: Address }[] {
    const open = this.#listeners.filter(({ isInProcess }) => !isInProcess)
    return open.map(({ name, listener, advertised }) => {
      return { name, address: listener.address, advertised }
    })
  }

  /** Fails with a NetworkError when the address cannot be had. */
  async listen(options: BrokerListener): Promise<void> {
    const { name, network, address, isInProcess = false } = options
    let told = options.advertised
    const figures = { name, open: 0, accepted: 0, delayed: 0 }
    const listener = await network.listen(address, (connection) =>
      this.#accept(connection, told ?? address, figures),
    )
    this.#figures.push(figures)
    told ??= listener.address
    this.#listeners.push({ name, listener, advertised: told, isInProcess })
  }

  /** Accepts nobody and nothing new; what is under way is still answered. */
  async drain(): Promise<void> {
    for (const connection of this.#connections) connection.drain()
    await Promise.all(this.#listeners.map(({ listener }) => listener.close()))
    // Those that came in while the listeners were closing.
    for (const connection of this.#connections) connection.drain()
  }

  /** Waits until all clients have their answers, but no longer than `timeoutMs`. */
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
