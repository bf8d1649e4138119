// One random history of a taildir source and its channels on a disk in memory: files are written,
// rotated, truncated, copied and removed, the disk fills up, and the agent is killed, stopped and
// restarted. Every line is unique, so the output shows lost and repeated lines.
//
// The sinks work as the Kafka sink does: prepare with a stamp, deliver, commit. A take prepared
// before the agent was killed is delivered again and recognized by its stamp.

import { dirname } from 'node:path'
import { ChannelProcessor } from '../../../agent/channelProcessor.ts'
import type { Channel, ChannelTransaction } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import type { EventBatch } from '../../../agent/event.ts'
import type { Interceptor } from '../../../agent/interceptors/interceptor.ts'
import { SourceCounter } from '../../../agent/monitoring/counters.ts'
import type { ChannelSelector } from '../../../agent/selectors/channelSelector.ts'
import { readTaildirOptions } from '../../../agent/sources/taildir/taildirOptions.ts'
import { TaildirSource } from '../../../agent/sources/taildir/taildirSource.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { type MortalDisk, mortalDisk } from '../../broker/log/mortalDisk.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { component } from '../component.ts'

export type ChannelType = 'file' | 'memory'

export interface HistoryOptions {
  readonly channels: readonly ChannelType[]
  /**
   * Whether interceptors drop every fifth line and change the others, and a selector divides the
   * lines among the channels.
   */
  readonly isSplit: boolean
  /** Capacity of each channel and of its transactions, in events. */
  readonly capacity?: number
}

/** The lines delivered from one channel. */
export interface Delivered {
  readonly type: ChannelType
  /** How often each line was delivered. */
  readonly counts: Map<string, number>
  readonly stamps: Map<string, readonly string[]>
  /** Time of the first delivery of each line. */
  readonly firstMs: Map<string, number>
}

/** Number of writes, of records of takes, for which a released reserve has space. */
const reserveWrites = 30
const sink = 'k1'
export const noteIntervalMs = 1000

export class PositionHistory {
  readonly clock = new ManualClock()
  readonly logger = new MemoryLogger()
  readonly delivered: Delivered[]
  /** All lines written to the files, in order. */
  readonly written: string[] = []
  isFull = false
  /** The operation on the agent's directories, counted from now, that fails with EIO. */
  failsIn = Number.POSITIVE_INFINITY
  /** Number of writes that remain to the channel that released its reserve. */
  #reserve = { directory: '', left: 0 }
  readonly disk = new MemoryDisk({
    nowMs: () => this.clock.nowMs(),
    reusesInodes: true,
    beforeChange: (operation, path) => this.#beforeChange(operation, path),
  })
  readonly #options: HistoryOptions
  /** Called before each change of the agent's disk. */
  onChange: (operation: string, path: string) => void = () => {}
  /** Wraps the disk for the channels. */
  channelDisk: (disk: Disk) => Disk = (disk) => disk
  sourceDisk: (disk: Disk) => Disk = (disk) => disk
  #process: MortalDisk | undefined
  #channels: Channel[] = []
  #makeSource: (() => TaildirSource) | undefined
  #source: TaildirSource | undefined
  #stamps = 0

  constructor(options: HistoryOptions) {
    this.#options = options
    this.delivered = options.channels.map((type) => ({
      type,
      counts: new Map(),
      stamps: new Map(),
      firstMs: new Map(),
    }))
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  get isDiskWell(): boolean {
    return !this.isFull && this.failsIn === Number.POSITIVE_INFINITY
  }

  /** Starts the agent; returns false if the start failed because of a failing disk. */
  async start(): Promise<boolean> {
    await this.disk.makeDirectory('/logs')
    const process = mortalDisk(this.disk)
    const disk = this.channelDisk(process)
    const channels = this.#options.channels.map((type, index) => this.#channel(type, index, disk))
    try {
      for (const channel of channels) await channel.start()
      for (const [index, channel] of channels.entries()) {
        for (const { transaction, batches, stamp } of await channel.resumePrepared(sink)) {
          this.#deliver(index, stamp.toString(), batches)
          await this.#commit(transaction)
        }
      }
    } catch (error) {
      if (!this.isFull && !hasFailed(error)) throw error
      process.kill()
      return false
    }
    this.#process = process
    this.#channels = channels
    this.#makeSource = this.#sourceMaker(process)
    return true
  }

  /** Starts the agent, and advances the clock meanwhile: for a disk whose operations take time. */
  async startWhileTimePasses(): Promise<boolean> {
    return await this.#settled(this.start())
  }

  /** SIGKILL: the disk keeps all writes, synced or not; memory is lost. */
  kill(): void {
    this.#process?.kill()
    this.#process = undefined
    this.#source = undefined
    this.#channels = []
  }

  /** Stops the source and then the channels, in the order of the agent. */
  async stop(): Promise<void> {
    await this.#source?.stop()
    this.#source = undefined
    for (const channel of this.#channels) await channel.stop()
    this.kill()
  }

  /** Runs the source for `ms`; a source that fails is replaced by a new instance. */
  async run(ms: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms
    while (this.isRunning && this.clock.monotonicMs() < untilMs) {
      const delayMs = await this.#settled(this.#round())
      await this.clock.advanceAndSettle(Math.max(20, Math.min(delayMs, 200)))
    }
  }

  /** Takes up to `max` events out of a channel and delivers them; returns false if it has none. */
  async drain(index: number, max: number, rollsBack = false): Promise<boolean> {
    const channel = this.#channels[index]
    if (channel === undefined) return false
    const transaction = channel.transaction()
    transaction.begin()
    const batches = await transaction.take(max)
    if (batches.length === 0 || rollsBack) {
      await transaction.rollback()
      transaction.close()
      return batches.length > 0
    }
    const stamp = `${this.#stamps++}`
    try {
      await this.#settled(transaction.prepare(sink, Buffer.from(stamp)))
    } catch {
      await transaction.rollback()
      transaction.close()
      return false
    }
    this.#deliver(index, stamp, batches)
    await this.#commit(transaction)
    return true
  }

  /** Whether every channel holds or has delivered all lines written so far, except for `lost`. */
  async isCaughtUp(lost: ReadonlySet<string>): Promise<boolean> {
    const lines = this.written.filter((line) => !lost.has(line))
    for (const [index, channel] of this.#channels.entries()) {
      const { counts } = this.delivered[index]!
      const held = await heldIn(channel)
      if (this.expected(index, lines).some((line) => !counts.has(line) && !held.has(line)))
        return false
    }
    return true
  }

  async catchUp(lost: ReadonlySet<string>): Promise<void> {
    for (let tries = 0; !(await this.isCaughtUp(lost)); tries++) {
      if (tries > 200) throw new Error('lines were written and never came into the channels')
      await this.run(500)
      for (const index of this.#channels.keys()) while (await this.drain(index, 50)) {}
    }
  }

  /** The lines that a channel must get, as they come out of it. */
  expected(index: number, lines: readonly string[] = this.written): string[] {
    if (!this.#options.isSplit) return [...lines]
    return lines
      .filter(
        (line) => !isDropped(line) && channelOf(line, this.#options.channels.length) === index,
      )
      .map((line) => `${changed}${line}`)
  }

  async append(path: string, text: string): Promise<void> {
    const file = await this.disk.open(path, 'write')
    await file.write([Buffer.from(text)], (await file.stat()).sizeBytes)
    await file.close()
  }

  #channel(type: ChannelType, index: number, disk: Disk): Channel {
    const { clock, logger } = this
    const name = `c${index}`
    const { capacity = 60 } = this.#options
    if (type === 'memory') {
      const lines = { type, capacity, transactionCapacity: capacity, 'keep-alive': 0 }
      return memoryChannel(component('channels', name, lines), clock, logger)
    }
    const lines = {
      type,
      capacity,
      transactionCapacity: capacity,
      'keep-alive': 0,
      checkpointDir: `/agent/${name}/checkpoint`,
      dataDirs: `/agent/${name}/data`,
      minimumRequiredSpace: 0,
      // Small, so that log files are rolled and deleted; larger for a thousand files, where each
      // put would roll one.
      maxFileSize: capacity === 60 ? 4096 : 1024 * 1024,
    }
    const resolvePath = (path: string) => path
    return fileChannel(component('channels', name, lines), {
      ...{ clock, disk, scheduler: systemScheduler, logger, resolvePath },
    })
  }

  #sourceMaker(process: MortalDisk): () => TaildirSource {
    const disk = this.sourceDisk(process)
    const { clock, logger } = this
    const counter = new SourceCounter()
    const { isSplit, channels } = this.#options
    const selector: ChannelSelector = {
      required: this.#channels,
      optional: [],
      select: (batch, channel) =>
        isSplit
          ? kept(
              batch,
              (line) => channelOf(line, channels.length) === this.#channels.indexOf(channel),
            )
          : batch,
    }
    const processor = new ChannelProcessor(
      isSplit ? [droppingInterceptor, changingInterceptor] : [],
      selector,
      counter,
      logger,
    )
    const lines = {
      type: 'taildir',
      filegroups: 'f1',
      'filegroups.f1': '/logs/app.*\\\\.log',
      positionFile: '/agent/positions.json',
      batchSize: 3,
      idleTimeout: 3000,
      writePosInterval: noteIntervalMs,
    }
    const { options, groups } = readTaildirOptions(component('sources', 'r1', lines), (p) => p)
    const around = { clock, disk, logger, counter, processor, progress: { bytesRead: 0 } }
    return () => new TaildirSource('r1', groups, options, around)
  }

  async #round(): Promise<number> {
    try {
      if (this.#source === undefined) {
        this.#source = this.#makeSource!()
        await this.#source.start()
      }
      return await this.#source.process(new AbortController().signal)
    } catch (error) {
      if (!this.isFull && !hasFailed(error)) throw error
      await this.#source?.stop().catch(() => {})
      this.#source = undefined
      return 100
    }
  }

  async #settled<T>(round: Promise<T>): Promise<T> {
    let result: { value: T } | undefined
    let failure: unknown
    round.then(
      (value) => {
        result = { value }
      },
      (error: unknown) => {
        failure = error
      },
    )
    while (result === undefined) {
      if (failure !== undefined) throw failure
      await this.clock.advanceAndSettle(1)
    }
    return result.value
  }

  async #commit(transaction: ChannelTransaction): Promise<void> {
    await transaction.commit()
    transaction.close()
  }

  #deliver(index: number, stamp: string, batches: readonly EventBatch[]): void {
    const { counts, stamps, firstMs } = this.delivered[index]!
    const lines = batches.flatMap((batch) =>
      Array.from({ length: batch.count }, (_, n) => batch.body(n).toString()),
    )
    const before = stamps.get(stamp)
    if (before !== undefined) {
      if (before.join() !== lines.join()) throw new Error(`stamp ${stamp} came with other lines`)
      return
    }
    stamps.set(stamp, lines)
    for (const line of lines) {
      counts.set(line, (counts.get(line) ?? 0) + 1)
      if (!firstMs.has(line)) firstMs.set(line, this.clock.monotonicMs())
    }
  }

  #beforeChange(operation: string, path: string): void {
    if (!path.startsWith('/agent')) return
    this.onChange(operation, path)
    if (--this.failsIn <= 0) {
      this.failsIn = Number.POSITIVE_INFINITY
      throw Object.assign(new Error(`EIO: i/o error, ${operation} '${path}'`), { code: 'EIO' })
    }
    if (operation === 'remove' && path.endsWith('/reserve')) {
      this.#reserve = { directory: dirname(path), left: reserveWrites }
    }
    if (!this.isFull || !['write', 'open', 'makeDirectory'].includes(operation)) return
    const isInReserve = dirname(path) === this.#reserve.directory && !path.endsWith('/reserve')
    if (isInReserve && this.#reserve.left-- > 0) return
    throw Object.assign(new Error(`ENOSPC: no space left on device, ${operation} '${path}'`), {
      code: 'ENOSPC',
    })
  }
}

/** The lines in a channel; they stay in it. */
async function heldIn(channel: Channel): Promise<Set<string>> {
  const transaction = channel.transaction()
  transaction.begin()
  const batches = await transaction.take(channel.capacity)
  const lines = batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, n) => batch.body(n).toString()),
  )
  await transaction.rollback()
  transaction.close()
  return new Set(lines)
}

/** The prefix that an interceptor adds: it makes each line longer than it is in the file. */
const changed = 'changed by an interceptor: '

function numberOf(line: string): number {
  return Number(/\d+$/.exec(line)![0])
}

function isDropped(line: string): boolean {
  return numberOf(line) % 5 === 0
}

/** Seven successive lines go to one channel, so that some batches have no line for another one. */
function channelOf(line: string, channels: number): number {
  return Math.floor(numberOf(line) / 7) % channels
}

function kept(batch: EventBatch, test: (line: string) => boolean): EventBatch {
  const indexes: number[] = []
  for (let index = 0; index < batch.count; index++) {
    if (test(batch.body(index).toString())) indexes.push(index)
  }
  return batch.select(indexes)
}

const droppingInterceptor: Interceptor = (batch) => kept(batch, (line) => !isDropped(line))

const changingInterceptor: Interceptor = (batch) =>
  batch.withBodies(
    Array.from({ length: batch.count }, (_, n) =>
      Buffer.concat([Buffer.from(changed), batch.body(n)]),
    ),
  )

function hasFailed(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException
    if (['EIO', 'ENOSPC', 'CHANNEL_WRITE', 'CHANNEL_SPACE'].includes(code ?? '')) return true
  }
  return false
}
