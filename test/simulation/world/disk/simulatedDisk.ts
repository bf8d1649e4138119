// The disk of a simulated host: a MemoryDisk whose operations take virtual time and fail as a plan
// says. Each process sees it through a view of its own (processDisk.ts).
//
// An operation takes effect when it completes; a sync sometimes when it starts, so that it covers
// only what was written before, as fdatasync promises no more.

import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import type { EventOwner } from '../eventHeap.ts'
import { drawLatency, type Latency, mostMs, steady } from '../latency.ts'
import type { PowerLoss, SimulatedHost } from '../simulatedHost.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import { DiskFaults } from './diskFaults.ts'
import { ProcessDisk } from './processDisk.ts'

export interface SimulatedDiskOptions {
  readonly read?: Latency
  readonly write?: Latency
  readonly sync?: Latency
  /** Limit on the open files of a process. */
  readonly maxOpenFiles?: number
}

/** Operations that take as long as a sync. */
const syncs: ReadonlySet<string> = new Set(['sync', 'writeSynced', 'syncDirectory'])
const reads: ReadonlySet<string> = new Set(['read', 'stat', 'list', 'readFile', 'open'])

export class SimulatedDisk implements EventOwner {
  readonly name: string
  readonly memory: MemoryDisk
  readonly faults = new DiskFaults()
  readonly host: SimulatedHost
  readonly maxOpenFiles: number
  readonly #options: Required<Pick<SimulatedDiskOptions, 'read' | 'write' | 'sync'>>
  readonly #latencies: Random
  readonly draws: Random
  readonly #losses: Random

  constructor(host: SimulatedHost, options: SimulatedDiskOptions) {
    this.host = host
    this.name = `${host.name} disk`
    this.#options = {
      read: options.read ?? steady(0.01, 0.02),
      write: options.write ?? steady(0.01, 0.03),
      sync: options.sync ?? steady(0.1, 0.5),
    }
    this.maxOpenFiles = options.maxOpenFiles ?? 1024
    const random = host.world.random.fork(`disk of ${host.name}`)
    this.#latencies = random.fork('latency')
    this.draws = random.fork('draws')
    this.#losses = random.fork('losses')
    this.memory = new MemoryDisk({ nowMs: () => host.clock.nowMs() })
  }

  accepts(): boolean {
    return this.host.isOn
  }

  viewOf(process: SimulatedProcess): Disk {
    return new ProcessDisk(this, process)
  }

  /** Draws how long an operation takes, in ms. */
  durationMs(operation: string): number {
    const { read, write, sync } = this.#options
    const latency = syncs.has(operation) ? sync : reads.has(operation) ? read : write
    return Math.min(mostMs, drawLatency(latency, this.#latencies) * this.faults.slowness)
  }

  losePower({ losesAll, reorders }: PowerLoss): void {
    const keepUnsynced = this.#losses.fork('kept')
    this.memory.crash(losesAll ? {} : { keepUnsynced, reorder: reorders })
  }
}
