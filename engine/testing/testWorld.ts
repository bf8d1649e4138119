// The environment of a job in a test, which outlives all of its processes: clock, topics, disk,
// states and sinks. A kill ends the driver's process here, in the middle of a step.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import { type Scheduler, systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'
import type { RejectedRecord } from '../sources/scan.ts'
import { DurableSteps, type PlannedKill } from './durableSteps.ts'
import { StateDirectories } from './memoryState.ts'
import type { MemoryTopics } from './memoryTopics.ts'
import { type DurableEffect, TestSinks } from './testSink.ts'

export class TestWorld {
  readonly clock: ManualClock
  readonly scheduler: Scheduler
  readonly topics: MemoryTopics
  readonly disk: MemoryDisk
  readonly steps = new DurableSteps()
  readonly sinks = new TestSinks()
  /** Records sent to dead letter topics, by the batch that wrote them last. */
  readonly deadLetters = new Map<number, readonly RejectedRecord[]>()
  readonly states = new StateDirectories()
  /** Called when a planned kill happens. */
  onKill: ((kill: PlannedKill) => void) | undefined
  /** The process of the running driver. */
  #process: TestProcess | undefined

  constructor(topics: MemoryTopics, startMs: number, scheduler: Scheduler = systemScheduler) {
    this.clock = new ManualClock(startMs)
    this.scheduler = scheduler
    this.topics = topics
    this.disk = new MemoryDisk({ beforeChange: (change, path) => this.#beforeChange(change, path) })
  }

  /** Starts the process of a driver; the previous one must have ended. */
  newProcess(): TestProcess {
    this.#process = new TestProcess(this)
    return this.#process
  }

  /** Ends the driver's process at once: whatever it does afterwards has no effect. */
  kill({ loses, write }: Pick<PlannedKill, 'loses' | 'write'>): void {
    this.#process?.die()
    if (loses === 'process') this.disk.endProcess()
    else this.disk.crash(write === 'kept' ? { keepUnsynced: keepAll } : {})
  }

  #beforeChange(change: string, path: string): void {
    if (this.#process === undefined || this.#process.isDead) return
    // Creating a state is not a durable step; its first write is.
    if (/\/state(New)?\/./.test(path)) return
    const kill = this.steps.take(`${change} ${path.slice(path.lastIndexOf('/') + 1)}`)
    if (kill === undefined) return
    this.onKill?.(kill)
    if (kill.write === 'lost') {
      this.kill(kill)
      return
    }
    // The disk makes the change in the next microtask, and its caller goes on in the one after
    // that.
    this.scheduler.soon(() => this.scheduler.soon(() => this.kill(kill)))
  }

  /** Resolves after `steps` steps of other work, at once for 0: how late an answer is. */
  async lateBy(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await new Promise<void>((resolve) => this.scheduler.soon(resolve))
    }
  }
}

/** Keeps everything that was not synced in a power failure. */
const keepAll: Random = {
  uint32: () => 2 ** 32 - 1,
  float: () => 1 - 2 ** -32,
  below: (bound) => bound - 1,
  bytes: (length) => Buffer.alloc(length),
  fork: () => keepAll,
}

/** One life of the driver, or of one of its executors. */
export class TestProcess {
  readonly #world: TestWorld
  readonly #parent: TestProcess | undefined
  readonly #dying: (() => void)[] = []
  #isDead = false

  constructor(world: TestWorld, parent?: TestProcess) {
    this.#world = world
    this.#parent = parent
  }

  get isDead(): boolean {
    return this.#isDead || this.#parent?.isDead === true
  }

  /** An executor dies with its driver. */
  child(): TestProcess {
    return new TestProcess(this.#world, this)
  }

  die(): void {
    if (this.#isDead) return
    this.#isDead = true
    for (const dying of this.#dying) dying()
  }

  onDeath(dying: () => void): void {
    this.#dying.push(dying)
  }

  /** Resolves like `work`, unless the process is dead by then: then it never settles. */
  async alive<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work
      return this.isDead ? await never : result
    } catch (error) {
      if (this.isDead) return await never
      throw error
    }
  }

  /** The disk as seen by the process: after its death, calls never settle. */
  get disk(): Disk {
    const { disk } = this.#world
    return new Proxy<Disk>(disk, {
      get: (_target, name) => {
        const method = disk[name as keyof Disk] as (...given: unknown[]) => Promise<unknown>
        return (...given: unknown[]) => {
          return this.isDead ? never : this.alive(method.apply(disk, given))
        }
      },
    })
  }

  /** Runs one durable step. */
  readonly durably: DurableEffect = async (what, effect) => {
    if (this.isDead) return await never
    const kill = this.#world.steps.take(what)
    if (kill) this.#world.onKill?.(kill)
    if (kill?.write === 'lost') this.#world.kill(kill)
    // Other work runs first, as with a real disk, and may end this process.
    await this.#world.lateBy(1)
    if (this.isDead) return await never
    const result = effect()
    if (kill === undefined) return result
    this.#world.kill(kill)
    return await never
  }
}

const never = new Promise<never>(() => {})
