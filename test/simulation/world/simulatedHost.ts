// A simulated host: a clock, a disk, stores, a place in the network, and the processes that run on
// it. Survives its processes; a loss of power takes them, and what its disk had not synced.

import { SimulatedDisk, type SimulatedDiskOptions } from './disk/simulatedDisk.ts'
import { SimulatedStores } from './disk/simulatedStores.ts'
import type { EventOwner } from './eventHeap.ts'
import { HostClock, type HostClockOptions } from './hostClock.ts'
import type { SimulatedNetwork } from './network/simulatedNetwork.ts'
import { type ProcessMain, type ProcessOptions, SimulatedProcess } from './simulatedProcess.ts'
import type { World } from './world.ts'

export interface HostOptions {
  readonly clock?: HostClockOptions
  readonly disk?: SimulatedDiskOptions
}

export interface PowerLoss {
  /** Whether all that was not synced is lost; otherwise a part of it survives, torn perhaps. */
  readonly losesAll: boolean
  /** Whether later writes may survive without earlier ones. */
  readonly reorders: boolean
}

export class SimulatedHost implements EventOwner {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly name: string
  readonly clock: HostClock
  readonly disk: SimulatedDisk
  readonly stores: SimulatedStores
  /** Those that have not ended. */
  readonly processes = new Set<SimulatedProcess>()
  #isOn = true
  #boots = 0
  #incarnations = new Map<string, number>()

  constructor(world: World, network: SimulatedNetwork, name: string, options: HostOptions = {}) {
    this.world = world
    this.network = network
    this.name = name
    this.clock = new HostClock(world, options.clock ?? {})
    this.disk = new SimulatedDisk(this, options.disk ?? {})
    this.stores = new SimulatedStores(this)
    network.add(this)
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** Number of losses of power so far. */
  get boots(): number {
    return this.#boots
  }

  /** What belongs to the host itself (its disk, its kernel) goes on without any process. */
  accepts(): boolean {
    return this.#isOn
  }

  /**
   * Starts a process, whose `main` runs in the next event. It ends when `main` rejects or calls
   * `exit`, when a fault ends it, or when the host loses power; not when `main` resolves.
   */
  start(name: string, main: ProcessMain, options: ProcessOptions = {}): SimulatedProcess {
    const incarnation = (this.#incarnations.get(name) ?? 0) + 1
    this.#incarnations.set(name, incarnation)
    const process = new SimulatedProcess(this, `${this.name}/${name}.${incarnation}`, name, options)
    this.processes.add(process)
    process.begin(main)
    return process
  }

  process(name: string): SimulatedProcess | undefined {
    return [...this.processes].find((process) => process.shortName === name)
  }

  /** Ends all processes without a word to their peers, and loses what was not synced. */
  losePower(loss: PowerLoss): void {
    if (!this.#isOn) return
    if (this.disk.memory.hasUnsynced) this.world.marks.reached('power lost with unsynced writes')
    for (const process of [...this.processes]) process.end('power')
    this.network.lostPower(this)
    // Operations that reached the disk before the power failed take effect first, in promise jobs.
    this.world.schedule(0, this.world, 'power lost', this.name, () => {
      this.disk.losePower(loss)
      this.stores.losePower(loss)
    })
    this.#isOn = false
    this.#boots++
  }

  /** Boots after a loss of power; the processes have to be started. */
  powerOn(): void {
    if (this.#isOn) return
    this.#isOn = true
    this.clock.reset()
  }
}
