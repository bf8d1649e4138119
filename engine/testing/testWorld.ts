// What is outside of the job in a test and outlives every one of its processes: the clock, the topics,
// the disk, the states and the sinks. A kill ends the driver's process here, in the middle of a step.

import type { Disk } from '../../protocol/runtime/disk.ts'
import { ManualClock } from '../../protocol/runtime/manualClock.ts'
import { MemoryDisk } from '../../protocol/runtime/memoryDisk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduler.ts'
import type { RejectedRecord } from '../sources/scan.ts'
import { DurableSteps, type PlannedKill } from './durableSteps.ts'
import { StateDirectories } from './memoryState.ts'
import type { MemoryTopics } from './memoryTopics.ts'
import { type DurableEffect, TestSinks } from './testSink.ts'

export class TestWorld {
  readonly clock: ManualClock
  readonly topics: MemoryTopics
  readonly disk: MemoryDisk
  readonly steps = new DurableSteps()
  readonly sinks = new TestSinks()
  /** Records that went to dead letter topics, by the batch that wrote them last. */
  readonly deadLetters = new Map<number, readonly RejectedRecord[]>()
  readonly states = new StateDirectories()
  /** Called when a planned kill takes place. */
  onKill: ((kill: PlannedKill) => void) | undefined
  /** The process of the driver that runs. */
  #process: TestProcess | undefined

  constructor(topics: MemoryTopics, startMs: number) {
    this.clock = new ManualClock(startMs)
    this.topics = topics
    this.disk = new MemoryDisk({ beforeChange: (change, path) => this.#beforeChange(change, path) })
  }

  /** Starts the process of a driver; the one before must be dead or over. */
  newProcess(): TestProcess {
    this.#process = new TestProcess(this)
    return this.#process
  }

  /** The driver's process ends here and now: what it does from here on reaches nothing. */
  kill({ loses, write }: Pick<PlannedKill, 'loses' | 'write'>): void {
    this.#process?.die()
    if (loses === 'process') this.disk.endProcess()
    else this.disk.crash(write === 'kept' ? { keepUnsynced: keepAll } : {})
  }

  #beforeChange(change: string, path: string): void {
    if (this.#process === undefined || this.#process.isDead) return
    // Where a state is takes no step of its own: its first write does.
    if (/\/state(New)?\/./.test(path)) return
    const kill = this.steps.take(`${change} ${path.slice(path.lastIndexOf('/') + 1)}`)
    if (kill === undefined) return
    this.onKill?.(kill)
    if (kill.write === 'lost') {
      this.kill(kill)
      return
    }
    // The disk makes the change in the next microtask, and its caller goes on in the one after that.
    systemScheduler.soon(() => systemScheduler.soon(() => this.kill(kill)))
  }
}

/** Of what was not synced everything survives the power failure. */
const keepAll: Random = {
  uint32: () => 2 ** 32 - 1,
  float: () => 1 - 2 ** -32,
  below: (bound) => bound - 1,
  bytes: (length) => Buffer.alloc(length),
  fork: () => keepAll,
}

/** One life of the driver, or of an executor of it. */
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

  /** Goes on after `work` unless the process is dead by then: then it never does. */
  async alive<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work
      return this.isDead ? await never : result
    } catch (error) {
      if (this.isDead) return await never
      throw error
    }
  }

  /** The world's disk as the process reaches it: after its death, not at all. */
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

  /** One durable step. */
  readonly durably: DurableEffect = async (what, effect) => {
    if (this.isDead) return await never
    const kill = this.#world.steps.take(what)
    if (kill) this.#world.onKill?.(kill)
    if (kill?.write === 'lost') this.#world.kill(kill)
    // Others run first, as with a real disk, and one of them may end this process.
    await Promise.resolve()
    if (this.isDead) return await never
    const result = effect()
    if (kill === undefined) return result
    this.#world.kill(kill)
    return await never
  }
}

const never = new Promise<never>(() => {})
