// One run of the system `agent`: an agent and a broker in a simulated world, files that are written
// and rotated, a safety phase with faults and a liveness phase without, and what must hold in both.

import { reserveBytesOf } from '../../../../agent/channels/file/spaceReserve.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import type { LogLevel } from '../../../../protocol/telemetry/logging/logger.ts'
import type { Fault } from '../../plan/faults.ts'
import type { Outcome } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import type { SimulatedHost } from '../../world/simulatedHost.ts'
import type { ProcessEnd, SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { TraceOptions } from '../../world/trace.ts'
import { clientHost, clusterOf, messageOf, type Program, restartMs, Scene } from '../scene/scene.ts'
import { followPartition } from '../scene/topicFollower.ts'
import { Acceptance } from './acceptance.ts'
import { type AgentParameters, agentHost, topicOf } from './agentParameters.ts'
import { type AgentRun, agentProcess, runAgent, stopAgent, stopBoundMs } from './agentProgram.ts'
import { ChannelSpace } from './channelSpace.ts'
import { CopyWatch } from './copyWatch.ts'
import { checkCounters } from './counterCheck.ts'
import { Delivered } from './delivered.ts'
import { checkDeliveries, type Deliveries, missingLines } from './deliveryCheck.ts'
import { LineLedger } from './lineLedger.ts'
import { type Content, LogFiles } from './logFiles.ts'
import { refuseTimes } from './refusedTimes.ts'
import { ReusedInodes } from './reusedInodes.ts'

/** How long nothing may arrive before the agent is stopped in the end: longer than a copy waits. */
const quietMs = 1700
const checkMs = 100
/** How long the disk of the channels is full at least, and within which time they are empty. */
const leastFullMs = 300
const drainedMs = 30_000
/** How long an agent runs that was stopped in the end and started again. */
const restartedMs = 300

export type AgentSystemPlan = Plan<AgentParameters>

export class AgentSimulation implements Program {
  readonly process = agentProcess
  readonly host = agentHost
  readonly #parameters: AgentParameters
  readonly #scene: Scene
  readonly #ledger = new LineLedger()
  readonly #inodes = new ReusedInodes()
  readonly #space: ChannelSpace
  readonly #files: LogFiles
  readonly #acceptance: Acceptance
  readonly #copies: CopyWatch
  readonly #delivered: Delivered
  readonly #paddings: Random
  #run: AgentRun | undefined
  #memoryMayRepeat = false
  #saidLost = false
  #quietSinceMs = 0
  #total = 0

  constructor(plan: AgentSystemPlan, trace?: TraceOptions) {
    const { parameters } = plan
    const { channels, partitions, broker } = parameters
    const topics = [...channels.keys()].map((channel) => ({ name: topicOf(channel), partitions }))
    this.#parameters = parameters
    this.#scene = new Scene(plan, { broker, topics }, trace)
    this.#delivered = new Delivered(channels.length, partitions)
    const { world } = this.#scene
    this.#paddings = world.random.fork('paddings')
    const { memory } = this.#host.disk
    this.#space = new ChannelSpace(memory, '/flume/c')
    this.#acceptance = new Acceptance(this.#ledger, this.#inodes, memory)
    this.#copies = new CopyWatch(this.#ledger, channels.length)
    this.#files = new LogFiles({
      disk: memory,
      inodes: this.#inodes,
      ledger: this.#ledger,
      syncs: parameters.syncsLogs,
      padding: () => 2 + this.#paddings.below(this.#paddings.below(8) === 0 ? 300 : 30),
      beforeLoss: () => this.#probe(),
      leaves: (content) => this.#leaves(content),
      later: (delayMs, run) => this.#writerLater(delayMs, run),
      copies: (copy) => this.#copies.begins(copy),
      nowMs: () => world.nowMs,
    })
  }

  run(): Promise<Outcome> {
    return this.#scene.run(this)
  }

  async begin(): Promise<void> {
    await this.#files.start()
    for (const step of this.#parameters.steps) {
      this.#writerLater(step.atMs, async () => {
        const { world } = this.#scene
        if (step.kind !== 'append') world.marks.reached(`files: ${step.kind}`)
        const isOther = step.kind !== 'append' && step.kind !== 'copyTruncate'
        if (isOther) this.#copies.disturbed(world.nowMs)
        await this.#files.perform(step)
      })
    }
    const { refusedTimes, channels } = this.#parameters
    if (refusedTimes === undefined) return
    this.#scene.later(refusedTimes.atMs, () => {
      this.#scene.note(clientHost, 'the operator bounds the timestamps of records')
      this.#scene.host(clientHost).start('operator', async (process) => {
        await refuseTimes(process, [...channels.keys()].map(topicOf), refusedTimes)
      })
    })
  }

  start(): void {
    const host = this.#host
    if (!host.isOn || host.process(agentProcess) !== undefined) return
    const onEnd = (end: ProcessEnd, error: unknown) => {
      this.#scene.note(host.name, `the agent process ended: ${end}${messageOf(error)}`)
      this.#copies.disturbed(this.#scene.world.nowMs)
      this.#ledger.end()
      const isOrderly = end === 'exited' && run.isStopRequested && run.agent !== undefined
      if (!isOrderly) this.#memoryMayRepeat = true
      if (end !== 'killed' && end !== 'power') this.#scene.later(restartMs, () => this.start())
    }
    this.#scene.note(host.name, 'the agent process starts')
    const process = host.start(
      agentProcess,
      async (process) => {
        const logger = this.#scene.logger(process)
        try {
          await runAgent(run, this.#parameters, this.#inodes, this.#space, logger)
          const hasEvents = run.recovered.some((events) => events > 0)
          if (hasEvents) this.#scene.world.marks.reached('a channel was recovered with events')
        } catch (error) {
          const isCorrupt = (error as { code?: string }).code === 'CHANNEL_CORRUPT'
          this.#scene.refusedStart(process, error, isCorrupt)
        }
      },
      { rarePoints: this.#scene.rarePoints(host.name), onEnd },
    )
    const run: AgentRun = { process, agent: undefined, isStopRequested: false, recovered: [] }
    this.#run = run
  }

  stop(): void {
    const run = this.#run
    if (!run?.process.isAlive) return
    const boundMs = stopBoundMs(this.#parameters)
    stopAgent(run)
    this.#scene.later(boundMs, () => {
      if (!run.process.isAlive || run.process.isPaused) return
      this.#scene.violate('stop not bounded', `the agent has not stopped within ${boundMs} ms`)
    })
  }

  onFault(fault: Fault): void {
    if (fault.host !== agentHost) return
    const { nowMs } = this.#scene.world
    this.#copies.disturbed(nowMs)
    if ('forMs' in fault) this.#copies.disturbed(nowMs + fault.forMs)
    if (fault.kind === 'failCall' || fault.kind === 'fillDisk') this.#memoryMayRepeat = true
    if (fault.kind !== 'losePower' || !this.#host.isOn) return
    void this.#files.powerFails()
    // After the disk has lost what it loses, which is an event of its own.
    this.#scene.later(0, () => this.#scene.later(0, () => void this.#files.powerFailed()))
  }

  onLog(process: SimulatedProcess, level: LogLevel, message: string): void {
    if (process.shortName !== agentProcess) return
    if (level === 'warn' && /lost/.test(message)) this.#saidLost = true
    if (message.startsWith('memory channel stopped')) this.#memoryMayRepeat = true
    // A component that hangs on a slow disk is abandoned, and says so (docs/flume-differences.md).
    const hasDiskFaults = this.#scene.hasDiskFaults || this.#parameters.fillsDisk
    if (level !== 'error' || hasDiskFaults || / did not stop within /.test(message)) return
    this.#scene.violate('error logged', message)
  }

  healed(): void {
    this.#scene.host(clientHost).start('reader', (process) => this.#read(process))
    // Something new to read, so that a source that is stuck shows.
    for (const file of ['app', 'web'] as const) {
      this.#writerLater(1, () => this.#files.perform({ atMs: 0, file, kind: 'append', lines: 2 }))
    }
    if (this.#parameters.fillsDisk) void this.#fillDisk()
    this.#quietSinceMs = this.#scene.world.nowMs
    this.#scene.later(checkMs, () => void this.#watch())
  }

  async missing(): Promise<string> {
    const missing = missingLines(await this.#deliveries())
      .slice(0, 5)
      .join('; ')
    const held = this.#run?.agent?.figures().channels.map(({ counter }) => counter.ChannelSize)
    return `channels hold ${held}, missing: ${missing || 'nothing'}`
  }

  get #host(): SimulatedHost {
    return this.#scene.host(agentHost)
  }

  #read(process: SimulatedProcess): void {
    const cluster = clusterOf(process)
    for (const [channel, partitions] of this.#delivered.partitions.entries()) {
      for (const partition of partitions.keys()) {
        const add = (value: string) => this.#delivered.add(channel, partition, value)
        void followPartition(cluster, topicOf(channel), partition, add)
      }
    }
  }

  /**
   * Until the file channels are empty: what they have is delivered on a full disk (decision 22).
   */
  async #fillDisk(): Promise<void> {
    const { world } = this.#scene
    this.#copies.disturbed(world.nowMs)
    this.#memoryMayRepeat = true
    const hasReserve = await this.#haveReserves()
    this.#space.fill()
    this.#scene.note(agentHost, 'the disk of the channels is full')
    const hadEvents = this.#heldInFiles() > 0
    const fullMs = world.nowMs
    const look = () => {
      const isDrained = this.#run?.agent !== undefined && this.#heldInFiles() === 0
      if (!isDrained && world.nowMs - fullMs < drainedMs) return this.#scene.later(checkMs, look)
      if (!isDrained && hasReserve) {
        const held = `file channels hold ${this.#heldInFiles()} events`
        this.#scene.violate('not drained', `${held}, ${drainedMs} ms after the disk was full`)
      } else if (hadEvents && hasReserve) {
        world.marks.reached('channels were drained on a full disk')
      }
      this.#space.empty()
      this.#copies.disturbed(world.nowMs)
    }
    this.#scene.later(leastFullMs, look)
  }

  #heldInFiles(): number {
    const channels = this.#run?.agent?.figures().channels ?? []
    return channels
      .filter((_, channel) => this.#parameters.channels[channel] === 'file')
      .reduce((sum, { counter }) => sum + counter.ChannelSize, 0)
  }

  /** Whether each file channel has its reserve: one that was used is not made at once again. */
  async #haveReserves(): Promise<boolean> {
    const { channels, fileChannel } = this.#parameters
    const reserveBytes = reserveBytesOf(fileChannel.maxFileSize!)
    for (const [channel, type] of channels.entries()) {
      const path = `/flume/c${channel}/data/reserve`
      const found = type === 'file' ? await this.#host.disk.memory.stat(path) : undefined
      if (type === 'file' && found?.sizeBytes !== reserveBytes) return false
    }
    return true
  }

  /** Waits until everything has arrived and nothing arrives any more, then stops the agent. */
  async #watch(): Promise<void> {
    const { nowMs } = this.#scene.world
    const run = this.#run
    const isIdle = run?.agent?.figures().channels.every(({ counter }) => !counter.ChannelSize)
    const hasNews = this.#total !== this.#delivered.total
    this.#total = this.#delivered.total
    if (
      hasNews ||
      !isIdle ||
      this.#space.isFull ||
      missingLines(await this.#deliveries()).length > 0
    ) {
      this.#quietSinceMs = nowMs
    }
    if (nowMs - this.#quietSinceMs < quietMs) {
      this.#scene.later(checkMs, () => void this.#watch())
      return
    }
    await this.#probe()
    checkCounters(
      run!,
      (name, message) => this.#scene.violate(name, message),
      this.#scene.world.marks,
    )
    this.stop()
    this.#awaitNext(run!)
  }

  /** Waits until the agent has stopped and started again: it has to repeat nothing. */
  #awaitNext(stopped: AgentRun): void {
    this.#scene.later(checkMs, () => {
      const isStarted = this.#run !== stopped && this.#run?.agent !== undefined
      if (!isStarted) this.#awaitNext(stopped)
      else this.#scene.later(restartedMs, () => void this.#finish())
    })
  }

  async #finish(): Promise<void> {
    const deliveries = await this.#deliveries()
    checkDeliveries(deliveries, (name, message) => this.#scene.violate(name, message))
    if (this.#inodes.reused > 0) this.#scene.world.marks.reached('an inode was used again')
    this.#scene.done()
  }

  async #deliveries(): Promise<Deliveries> {
    this.#copies.judge()
    return {
      parameters: this.#parameters,
      ledger: this.#ledger,
      delivered: this.#delivered,
      existing: await this.#files.existing(),
      memoryMayRepeat: this.#memoryMayRepeat,
      isTorn: !this.#parameters.syncsLogs && this.#host.boots > 0,
      saidLost: this.#saidLost,
      reached: (mark) => this.#scene.world.marks.reached(mark),
    }
  }

  /** Notes what the channels have of the files. */
  async #probe(): Promise<void> {
    const run = this.#run
    if (run?.agent === undefined || !run.process.isAlive) return
    await this.#acceptance.probe(run.agent, this.#files.contents)
  }

  async #leaves(content: Content): Promise<void> {
    const run = this.#run
    if (run?.agent === undefined || !run.process.isAlive) return
    await this.#acceptance.leaves(run.agent, content)
  }

  /** Whoever writes the files does nothing while the host has no power. */
  #writerLater(delayMs: number, run: () => Promise<void>): void {
    const { world } = this.#scene
    world.schedule(delayMs, world, 'writer', '', () => {
      if (this.#host.isOn) void run()
    })
  }
}
