// Does to a world what the faults of a plan say, and heals it in the end.

import type { Random } from '../../../protocol/runtime/random.ts'
import type { Link } from '../world/network/link.ts'
import type { SimulatedNetwork } from '../world/network/simulatedNetwork.ts'
import type { SimulatedHost } from '../world/simulatedHost.ts'
import type { SimulatedProcess } from '../world/simulatedProcess.ts'
import type { World } from '../world/world.ts'
import type { Fault } from './faults.ts'
import { describeFault } from './faults.ts'

/** What a system does for its faults. */
export interface Operator {
  /** Starts a process that is not running, on a host that has power. */
  start(host: SimulatedHost, process: string): void
  /** Stops a running process in its own orderly way; resolves once it has ended. */
  stop(host: SimulatedHost, process: string): void
}

export class FaultInjector {
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #hosts: ReadonlyMap<string, SimulatedHost>
  readonly #operator: Operator
  readonly #random: Random
  #isOver = false
  #count = 0
  /** Called with each fault as it strikes. */
  onFault: (fault: Fault, description: string) => void = () => {}

  constructor(
    world: World,
    network: SimulatedNetwork,
    hosts: ReadonlyMap<string, SimulatedHost>,
    operator: Operator,
  ) {
    this.#world = world
    this.#network = network
    this.#hosts = hosts
    this.#operator = operator
    this.#random = world.random.fork('faults')
  }

  schedule(faults: readonly Fault[]): void {
    for (const fault of faults) {
      const strike = () => this.#strike(fault)
      const { at, kind, host } = fault
      if ('atMs' in at)
        this.#world.schedule(at.atMs, this.#world, 'fault', `${kind} ${host}`, strike)
      else this.#world.afterEvents(at.afterEvents, 'fault', `${kind} ${host}`, strike)
    }
  }

  /** No fault strikes any more; whatever is broken is repaired, and everything is started. */
  heal(): void {
    this.#isOver = true
    this.#network.heal()
    for (const host of this.#hosts.values()) {
      host.disk.faults.heal()
      host.powerOn()
      for (const process of host.processes) process.continue()
    }
  }

  #strike(fault: Fault): void {
    const host = this.#hosts.get(fault.host)
    if (this.#isOver || host === undefined) return
    this.#count++
    this.#world.marks.reached(`fault: ${fault.kind}`)
    this.onFault(fault, describeFault(fault))
    this.#apply(fault, host)
  }

  #apply(fault: Fault, host: SimulatedHost): void {
    switch (fault.kind) {
      case 'kill':
        host.process(fault.process)?.kill()
        this.#startLater(host, fault.process, fault.downMs)
        break
      case 'stop':
        this.#operator.stop(host, fault.process)
        this.#startLater(host, fault.process, fault.downMs)
        break
      case 'losePower':
        this.#losePower(host, fault)
        break
      case 'pause':
        this.#pause(host.process(fault.process), fault.forMs)
        break
      case 'jumpWallClock':
        host.clock.jump(fault.byMs)
        break
      case 'failCall':
      case 'fillDisk':
      case 'slowDisk':
        this.#applyToDisk(fault, host)
        break
      default:
        this.#applyToNetwork(fault, host)
    }
  }

  #applyToNetwork(
    fault: Extract<Fault, { kind: 'cut' | 'swizzle' | 'breakConnections' | 'slowNetwork' }>,
    host: SimulatedHost,
  ): void {
    switch (fault.kind) {
      case 'cut': {
        const back = fault.isOneWay ? [] : [this.#network.link(fault.to, host.name)]
        this.#block([this.#network.link(host.name, fault.to), ...back], fault.forMs)
        break
      }
      case 'swizzle':
        this.#swizzle(host, fault.stepMs, fault.forMs)
        break
      case 'breakConnections':
        this.#network.breakConnections(host.name, undefined, fault.chance, this.#random)
        break
      case 'slowNetwork':
        this.#slowNetwork(host, fault.factor, fault.forMs)
    }
  }

  #applyToDisk(
    fault: Extract<Fault, { kind: 'failCall' | 'fillDisk' | 'slowDisk' }>,
    { disk: { faults } }: SimulatedHost,
  ): void {
    switch (fault.kind) {
      case 'failCall':
        faults.failOnce(fault)
        break
      case 'fillDisk':
        faults.isFull = true
        this.#later(fault.forMs, 'disk has space', () => {
          faults.isFull = false
        })
        break
      case 'slowDisk':
        faults.slowness = fault.factor
        this.#later(fault.forMs, 'disk is fast', () => {
          faults.slowness = 1
        })
    }
  }

  #pause(process: SimulatedProcess | undefined, forMs: number): void {
    process?.pause()
    this.#later(forMs, 'continue', () => process?.continue())
  }

  #losePower(host: SimulatedHost, fault: Extract<Fault, { kind: 'losePower' }>): void {
    const names = [...host.processes].map(({ shortName }) => shortName)
    host.losePower(fault)
    this.#later(Math.max(1, fault.downMs), 'power', () => {
      host.powerOn()
      for (const name of names) this.#startIfDown(host, name)
    })
  }

  #startLater(host: SimulatedHost, process: string, downMs: number): void {
    this.#later(downMs, 'start', () => this.#startIfDown(host, process))
  }

  #startIfDown(host: SimulatedHost, process: string): void {
    if (host.isOn && host.process(process) === undefined) this.#operator.start(host, process)
  }

  #block(links: readonly Link[], forMs: number): void {
    const reason = `fault ${this.#count}`
    for (const link of links) link.block(reason)
    this.#later(forMs, 'heal', () => {
      for (const link of links) link.open(reason)
    })
  }

  /** A random part of the links, in a random order, and back in another one. */
  #swizzle(host: SimulatedHost, stepMs: number, forMs: number): void {
    const reason = `fault ${this.#count}`
    const others = [...this.#hosts.keys()].filter((name) => name !== host.name)
    const links = others
      .flatMap((name) => [this.#network.link(host.name, name), this.#network.link(name, host.name)])
      .filter(() => this.#random.below(2) === 0)
    for (const [at, link] of this.#shuffled(links).entries()) {
      this.#later(at * stepMs, 'clog', () => void (this.#isOver || link.block(reason)))
    }
    for (const [at, link] of this.#shuffled(links).entries()) {
      this.#later((links.length + at) * stepMs + forMs, 'unclog', () => link.open(reason))
    }
  }

  #slowNetwork(host: SimulatedHost, factor: number, forMs: number): void {
    const links = this.#network
      .links()
      .filter(({ from, to }) => from === host.name || to === host.name)
    const before = links.map(({ options }) => options)
    for (const link of links) {
      const { latency } = link.options
      const slow = { ...latency, minMs: latency.minMs * factor, meanMs: latency.meanMs * factor }
      link.options = { ...link.options, latency: slow }
    }
    this.#later(forMs, 'network is fast', () => {
      for (const [at, link] of links.entries()) link.options = before[at]!
    })
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const left = [...items]
    return items.map(() => left.splice(this.#random.below(left.length), 1)[0]!)
  }

  /** Not after the world was healed. */
  #later(delayMs: number, what: string, run: () => void): void {
    this.#world.schedule(delayMs, this.#world, 'fault', what, () => {
      if (!this.#isOver) run()
    })
  }
}
