// The network of a simulated world: connections and datagrams between hosts, over links that are
// slow, lossy, clogged or cut, each direction apart. Each process sees it through a view of its
// own, which is a Network as production has it.
//
// As TCP shows it: bytes are never dropped from the middle of a stream; lost segments delay what is
// behind them; a connection over a cut link breaks after a while, on each side at its own time; one
// to a host without power never answers.

import {
  type Address,
  type Connection,
  type Listener,
  type Network,
  NetworkError,
} from '../../../../protocol/runtime/network/network.ts'
import { addressInUse, hostPort } from '../../../../protocol/runtime/network/networkErrors.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { steady } from '../latency.ts'
import type { SimulatedHost } from '../simulatedHost.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import type { World } from '../world.ts'
import { Endpoint } from './endpoint.ts'
import { Link, type LinkOptions } from './link.ts'
import { Pipe, type PipeOptions } from './pipe.ts'

export interface NetworkOptions {
  /** Of each direction between two hosts, unless `setLink` says otherwise. */
  readonly link: LinkOptions
  readonly pipe: PipeOptions
}

/** A fast network without faults. */
export const quietNetwork: NetworkOptions = {
  link: {
    latency: steady(0.05, 0.1),
    lossChance: 0,
    retransmitMs: 200,
    resetChance: 0,
    datagramLossChance: 0,
    duplicateChance: 0,
    bytesPerMs: 1_000_000,
  },
  pipe: { kernelBytes: 128 * 1024, segmentBytes: 64 * 1024, giveUpMs: 5000 },
}

export type DatagramHandler = (bytes: Buffer, from: Address) => void

interface Listening {
  readonly process: SimulatedProcess
  readonly onConnection: (connection: Connection) => void
}

interface OpenConnection {
  readonly number: number
  readonly client: Endpoint
  readonly server: Endpoint
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '0.0.0.0', '::1'])
const firstEphemeralPort = 49_152

export class SimulatedNetwork {
  readonly #world: World
  readonly #options: NetworkOptions
  readonly #random: Random
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #links = new Map<string, Map<string, Link>>()
  readonly #listening = new Map<string, Listening>()
  readonly #datagrams = new Map<string, { process: SimulatedProcess; handler: DatagramHandler }>()
  readonly #open = new Set<OpenConnection>()
  #connections = 0
  #nextPort = firstEphemeralPort

  constructor(world: World, options: NetworkOptions = quietNetwork) {
    this.#world = world
    this.#options = options
    this.#random = world.random.fork('network')
  }

  get openConnections(): number {
    return this.#open.size
  }

  /** Called by the host. */
  add(host: SimulatedHost): void {
    this.#hosts.set(host.name, host)
  }

  host(name: string): SimulatedHost | undefined {
    return this.#hosts.get(name)
  }

  /** The direction from one host to another; a host reaches itself without any fault. */
  link(from: string, to: string): Link {
    const links = this.#links.get(from) ?? new Map<string, Link>()
    this.#links.set(from, links)
    let link = links.get(to)
    if (link === undefined) {
      const options = from === to ? quietNetwork.link : this.#options.link
      link = new Link(from, to, options, this.#random.fork(`link ${from} ${to}`))
      links.set(to, link)
    }
    return link
  }

  /** All directions between different hosts that have been used. */
  links(): Link[] {
    const all = [...this.#links.values()].flatMap((links) => [...links.values()])
    return all.filter(({ from, to }) => from !== to)
  }

  /** Opens all links, with the options of a network without faults. */
  heal(): void {
    for (const link of this.links()) {
      link.options = quietNetwork.link
      link.openAll()
    }
  }

  /**
   * Breaks the connections between two hosts, or all of one host, each with the given chance.
   * Returns how many were broken.
   */
  breakConnections(host: string, other: string | undefined, chance: number, random: Random) {
    const broken = [...this.#open].filter(
      ({ client, server }) =>
        isBetween(client.process.host.name, server.process.host.name, host, other) &&
        random.float() < chance,
    )
    for (const connection of broken) this.#break(connection)
    return broken.length
  }

  /** Called by the host: its connections answer no more. */
  lostPower(host: SimulatedHost): void {
    for (const key of [...this.#listening.keys()]) {
      if (this.#listening.get(key)!.process.host === host) this.#listening.delete(key)
    }
  }

  viewOf(process: SimulatedProcess): Network {
    return {
      connect: (address, timeoutMs) => this.#connect(process, address, timeoutMs),
      listen: (address, onConnection) => this.#listen(process, address, onConnection),
    }
  }

  /** Receives datagrams at an address of the host of the process, until the process ends. */
  bindDatagrams(process: SimulatedProcess, port: number, handler: DatagramHandler): () => void {
    const key = `${process.host.name}:${port}`
    this.#datagrams.set(key, { process, handler })
    const unbind = () => {
      if (this.#datagrams.get(key)?.process === process) this.#datagrams.delete(key)
    }
    process.atEnd(unbind)
    return unbind
  }

  /** Sends a datagram, which may be lost, doubled or overtaken by later ones. */
  sendDatagram(process: SimulatedProcess, fromPort: number, to: Address, bytes: Uint8Array): void {
    if (!process.isAlive) return
    const from = { host: process.host.name, port: fromPort }
    const copy = Buffer.from(bytes)
    const link = this.link(from.host, to.host)
    for (const delayMs of link.datagramDelaysMs(copy.length)) {
      this.#world.schedule(delayMs, this.#world, 'datagram', hostPort(to), () => {
        if (!link.isOpen) return
        const bound = this.#datagrams.get(`${to.host}:${to.port}`)
        bound?.process.deliver('datagram', hostPort(to), () => bound.handler(copy, from))
      })
    }
  }

  async #listen(
    process: SimulatedProcess,
    address: Address,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    if (!process.isAlive) return await new Promise(() => {})
    const own = process.host.name
    if (!loopback.has(address.host) && address.host !== own) {
      const message = `cannot listen on ${hostPort(address)}: check that the host is an address of this machine`
      throw new NetworkError('ADDRESS_NOT_AVAILABLE', message)
    }
    const bound = { host: address.host, port: address.port || this.#nextPort++ }
    const key = `${own}:${bound.port}`
    if (this.#listening.has(key)) throw addressInUse(bound)
    const listening = { process, onConnection }
    this.#listening.set(key, listening)
    const stop = () => {
      if (this.#listening.get(key) === listening) this.#listening.delete(key)
    }
    process.atEnd(stop)
    return { address: bound, close: async () => stop() }
  }

  #connect(process: SimulatedProcess, address: Address, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const settle = (answer: () => void) => {
        timeout.cancel()
        answer()
      }
      const timeout = process.schedule(timeoutMs, 'net', 'connect timeout', () => {
        isOver = true
        reject(connectTimeout(address, timeoutMs))
      })
      let isOver = false
      const from = process.host.name
      const to = loopback.has(address.host) ? from : address.host
      const refused = () => settle(() => reject(connectionRefused(address)))
      if (!this.#hosts.has(to)) return settle(() => reject(unknownHost(address)))
      const there = this.link(from, to)
      const back = this.link(to, from)
      this.#travel(there, 'connect', () => {
        const accepted = this.#accept(process, address, to)
        // A host without power answers nothing.
        if (accepted === 'no host') return
        this.#travel(back, 'connected', () => {
          process.deliver('net', 'connected', () => {
            if (accepted === 'refused') return isOver || refused()
            if (isOver) accepted.destroy()
            else settle(() => resolve(accepted))
          })
        })
      })
    })
  }

  /** Runs `arrived` when a packet has crossed the link, which may open first. */
  #travel(link: Link, what: string, arrived: () => void): void {
    this.#world.schedule(link.delayMs(0), this.#world, 'net', `${what} ${link.to}`, () => {
      if (link.isOpen) arrived()
      else link.whenOpen(() => this.#travel(link, what, arrived))
    })
  }

  #accept(
    process: SimulatedProcess,
    address: Address,
    to: string,
  ): Endpoint | 'refused' | 'no host' {
    if (!this.#hosts.get(to)!.isOn) return 'no host'
    const listening = this.#listening.get(`${to}:${address.port}`)
    if (listening === undefined || !process.isAlive) return 'refused'
    const { client, server } = this.#pair(process, listening.process, hostPort(address))
    listening.process.deliver('net', 'accept', () => listening.onConnection(server))
    return client
  }

  #pair(from: SimulatedProcess, to: SimulatedProcess, address: string): OpenConnection {
    const number = ++this.#connections
    const closed = () => {
      if (client.isClosed && server.isClosed) this.#open.delete(connection)
    }
    const clientName = `c${number}`
    const serverName = `s${number}`
    const remote = `${from.host.name}:${firstEphemeralPort + (number % 10_000)}`
    const client = new Endpoint(from, clientName, address, closed)
    const server = new Endpoint(to, serverName, remote, closed)
    const connection: OpenConnection = { number, client, server }
    const random = this.#random.fork('connection')
    const upward = this.#pipe(client, server, `${clientName}>`, connection, random)
    const downward = this.#pipe(server, client, `${serverName}>`, connection, random)
    client.join(downward, upward)
    server.join(upward, downward)
    this.#open.add(connection)
    return connection
  }

  #pipe(
    writer: Endpoint,
    reader: Endpoint,
    name: string,
    connection: OpenConnection,
    random: Random,
  ): Pipe {
    const link = this.link(writer.process.host.name, reader.process.host.name)
    return new Pipe(this.#world, link, name, this.#options.pipe, random.fork(name), {
      arrived: () => reader.arrived(),
      drained: () => writer.drained(),
      soon: (callback) => writer.soon(callback),
      gaveUp: () => writer.process.deliver('net', 'gave up', () => writer.break('no answer')),
      broke: () => this.#break(connection),
      vanished: () => this.#noticeLater(reader),
    })
  }

  /** A side whose peer has lost power learns of it by its own timeouts. */
  #noticeLater(reader: Endpoint): void {
    const delayMs = this.#options.pipe.giveUpMs * this.#random.float()
    this.#world.schedule(delayMs, this.#world, 'net', 'peer is gone', () => {
      reader.process.deliver('net', 'peer is gone', () => reader.break('no answer'))
    })
  }

  /** Each side learns of it at its own time. */
  #break({ number, client, server }: OpenConnection): void {
    for (const side of [client, server]) {
      const delayMs = this.#random.below(2) * this.#random.float()
      side.process.schedule(delayMs, 'net', `reset ${number}`, () => side.break('connection reset'))
    }
  }
}

function isBetween(one: string, two: string, host: string, other: string | undefined): boolean {
  if (other === undefined) return one === host || two === host
  return (one === host && two === other) || (one === other && two === host)
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
    `connection to ${hostPort(address)} refused: check that the server is running, and its host and port`,
  )
}

function unknownHost(address: Address): NetworkError {
  return new NetworkError(
    'ADDRESS_NOT_AVAILABLE',
    `failed to connect to ${hostPort(address)}: unknown host name; check its spelling`,
  )
}
