// A simulated process: runs production code with a runtime whose parts all end with the process.
// Promises of a process that has ended are never settled again, so that none of its code runs on;
// what runs in the moment of its end reaches neither disk nor network nor clock.
//
// A paused process (SIGSTOP) keeps its events: they run when it continues, so that its timers are
// late and everything received meanwhile waits in the kernel.

import type { Random } from '../../../protocol/runtime/random.ts'
import type { RarePoint, RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Runtime } from '../../../protocol/runtime/runtime.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import type { KeyValueStore } from '../../../protocol/runtime/store/keyValueStore.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { EventOwner, SimulatedEvent } from './eventHeap.ts'
import type { SimulatedHost } from './simulatedHost.ts'

export type ProcessMain = (process: SimulatedProcess) => Promise<void> | void

/**
 * `exited`: it called `exit`. `killed`: SIGKILL. `power`: its host lost power. `failed`: its code
 * threw, or rejected a promise that nobody handled.
 */
export type ProcessEnd = 'exited' | 'killed' | 'power' | 'failed'

export interface ProcessOptions {
  /** Forces the rare in the code of this process. */
  readonly rarePoints?: RarePoints
  readonly onEnd?: (end: ProcessEnd, error: unknown) => void
}

/** How late a timer is that is forced to be. */
const mostLateMs = 100
/** Time until a task of a later turn of the event loop runs, at most, in ms. */
const turnMs = 0.02

export class SimulatedProcess implements EventOwner {
  readonly host: SimulatedHost
  /** Host, name and incarnation: unique in the world. */
  readonly name: string
  readonly shortName: string
  readonly random: Random
  readonly runtime: Runtime
  #state: 'running' | 'paused' | 'ended' = 'running'
  readonly #kept: SimulatedEvent[] = []
  readonly #options: ProcessOptions
  readonly #atEnd = new Set<(end: ProcessEnd) => void>()

  constructor(host: SimulatedHost, name: string, shortName: string, options: ProcessOptions) {
    this.host = host
    this.name = name
    this.shortName = shortName
    this.#options = options
    this.random = host.world.random.fork(`process ${host.name}/${shortName}`)
    this.runtime = {
      clock: this.#clock(),
      random: this.random.fork('program'),
      disk: host.disk.viewOf(this),
      network: host.network.viewOf(this),
      scheduler: this.#scheduler(),
      ...(options.rarePoints && { rarePoints: options.rarePoints }),
    }
  }

  /** Whether a simulator forces a rare point of this process now. */
  isForced(point: RarePoint): boolean {
    return this.#options.rarePoints?.isForced(point) ?? false
  }

  get isAlive(): boolean {
    return this.#state !== 'ended'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  /** Opens a key-value store of the host. */
  readonly openStore = (directory: string): Promise<KeyValueStore> =>
    this.host.stores.open(this, directory)

  accepts(event: SimulatedEvent): boolean {
    if (this.#state === 'paused') this.#kept.push(event)
    return this.#state === 'running'
  }

  /** Runs now what the kernel has for the process, or once the process continues. */
  deliver(kind: string, detail: string, run: () => void): void {
    if (this.#state === 'running') {
      this.host.world.enter(this)
      run()
    } else if (this.#state === 'paused') this.schedule(0, kind, detail, run)
  }

  /** An event of this process, dropped when the process has ended before it. */
  schedule(delayMs: number, kind: string, detail: string, run: () => void): SimulatedEvent {
    return this.host.world.schedule(delayMs, this, kind, detail, run)
  }

  /** Called by the host. */
  begin(main: ProcessMain): void {
    this.schedule(0, 'start', '', () => {
      const failed = (error: unknown) => this.host.world.onError(error, this)
      try {
        Promise.resolve(main(this)).catch(failed)
      } catch (error) {
        failed(error)
      }
    })
  }

  pause(): void {
    if (this.#state !== 'running') return
    this.#state = 'paused'
  }

  continue(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    for (const event of this.#kept.splice(0)) this.host.world.reschedule(event)
  }

  exit(): void {
    this.end('exited')
  }

  /** SIGKILL: what was written stays, its connections are closed by the kernel. */
  kill(): void {
    this.end('killed')
  }

  end(how: ProcessEnd, error?: unknown): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#kept.length = 0
    this.host.processes.delete(this)
    for (const callback of [...this.#atEnd]) callback(how)
    this.host.world.note(this.name, 'ended', how)
    this.#options.onEnd?.(how, error)
  }

  /** For the parts of the runtime: what the kernel does when the process ends. */
  atEnd(callback: (end: ProcessEnd) => void): () => void {
    this.#atEnd.add(callback)
    return () => void this.#atEnd.delete(callback)
  }

  #clock(): Clock {
    const { clock } = this.host
    const delays = this.random.fork('late timers')
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback): Timer => {
        if (!this.isAlive) return noTimer
        const lateMs = this.isForced('timer late') ? mostLateMs * delays.float() : 0
        return this.schedule(clock.timerDelayMs(delayMs) + lateMs, 'timer', '', callback)
      },
    }
  }

  #scheduler(): Scheduler {
    const delays = this.random.fork('turns')
    const later = (task: () => void) => {
      if (this.isAlive) this.schedule(turnMs * delays.float(), 'turn', '', task)
    }
    return {
      soon: (task) => systemScheduler.soon(() => void (this.isAlive && task())),
      later,
      nextTurn: () => new Promise((resolve) => later(resolve)),
    }
  }
}

const noTimer: Timer = { cancel: () => {} }
