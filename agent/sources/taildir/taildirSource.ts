// Flume's taildir source: follows the lines of all files that match. A line is put into the channels
// exactly once: each put carries its place in the file into the channel, and after a start, or a
// failure, reading goes on from what the channels have. The position file, written now and then,
// serves channels that forget (memory) and those who come from Flume.

import { dirname, join } from 'node:path'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Disk, DiskStat } from '../../../protocol/runtime/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { ChannelProcessor } from '../../channelProcessor.ts'
import { noFingerprint, type SourcePosition } from '../../channels/sourcePosition.ts'
import { AgentError } from '../../errors.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { SourceCounter, SourceProgress } from '../../monitoring/counters.ts'
import type { Polled } from '../../polled.ts'
import type { FileGroup } from './fileGroup.ts'
import { formatPositions, type PositionEntry, parsePositions } from './positionFile.ts'
import type { TaildirOptions } from './taildirOptions.ts'
import { fingerprintBefore, type TailChunk, TailFile, type TailPosition } from './tailFile.ts'

/** Puts under way at once: they share the syncs of a file channel. */
const maxPutsInFlight = 8
/** How often directories are listed for files that are new, renamed or gone. */
const scanIntervalMs = 250

export interface TaildirSurroundings {
  readonly clock: Clock
  readonly disk: Disk
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly processor: ChannelProcessor
  readonly progress: SourceProgress
}

interface FoundFile {
  readonly path: string
  readonly group: FileGroup
  readonly stat: DiskStat
  readonly matches: boolean
}

export class TaildirSource implements Polled {
  readonly #name: string
  readonly #groups: readonly FileGroup[]
  readonly #options: TaildirOptions
  readonly #surroundings: TaildirSurroundings
  readonly #files = new Map<string, TailFile>()
  /** The position file's entries as this run found them, by inode. */
  #noted = new Map<number, PositionEntry>()
  #isFirstScan = true
  #scannedMs = Number.NEGATIVE_INFINITY
  #notedMs: number
  #retryDelayMs = 0

  constructor(
    name: string,
    groups: readonly FileGroup[],
    options: TaildirOptions,
    surroundings: TaildirSurroundings,
  ) {
    this.#name = name
    this.#groups = groups
    this.#options = options
    this.#surroundings = surroundings
    this.#notedMs = surroundings.clock.monotonicMs()
  }

  async start(): Promise<void> {
    const { clock, disk, counter } = this.#surroundings
    const { positionFile } = this.#options
    await disk.makeDirectory(dirname(positionFile))
    const content = await disk.readFile(positionFile)
    const entries = content === undefined ? [] : parsePositions(content, positionFile)
    this.#noted = new Map(entries.map((entry) => [entry.inode, entry]))
    counter.StartTime = clock.nowMs()
  }

  async stop(): Promise<void> {
    await this.#writePositions()
    for (const file of this.#files.values()) await file.close()
    this.#surroundings.counter.StopTime = this.#surroundings.clock.nowMs()
  }

  async process(signal: AbortSignal): Promise<number> {
    const { clock } = this.#surroundings
    if (clock.monotonicMs() - this.#scannedMs >= scanIntervalMs) await this.#scan()
    let foundAny = false
    try {
      for (const file of [...this.#files.values()]) {
        if (signal.aborted) break
        if (await this.#follow(file, signal)) foundAny = true
      }
    } catch (error) {
      if (!isPassing(error)) throw error
      return this.#backOff(error)
    }
    this.#retryDelayMs = 0
    if (clock.monotonicMs() - this.#notedMs >= this.#options.writePosInterval) {
      await this.#writePositions()
    }
    return foundAny ? 0 : this.#options.pollInterval
  }

  /** A channel is full: reads on, from what the channels have, a second later, then two, ... */
  #backOff(error: unknown): number {
    const { backoffSleepIncrement, maxBackoffSleep } = this.#options
    this.#retryDelayMs = Math.min(this.#retryDelayMs + backoffSleepIncrement, maxBackoffSleep)
    const { logger } = this.#surroundings
    logger.warn(
      { source: this.#name, error, retryMs: this.#retryDelayMs },
      'put failed, will retry',
    )
    return this.#retryDelayMs
  }

  /** Reads one file as far as it goes; true when there was anything. */
  async #follow(file: TailFile, signal: AbortSignal): Promise<boolean> {
    const { clock, disk, counter } = this.#surroundings
    if (file.isDormant || !(await file.open(disk))) return false
    const { batchSize, maxBatchCount } = this.#options
    const puts = new PutWindow(file, maxPutsInFlight)
    let batches = 0
    let isPartial = this.#isIdle(file) && file.partialBytes > 0
    try {
      while (batches < maxBatchCount && !signal.aborted) {
        const read = await file.read(isPartial)
        isPartial = false
        if (read === 'truncated') {
          await puts.settled()
          this.#restart(file)
          continue
        }
        if (read === 'nothing') break
        for (let from = 0; from < read.batch.count; from += batchSize) {
          const until = Math.min(from + batchSize, read.batch.count)
          const put = this.#part(file, read, from, until)
          await puts.add(put.position, () =>
            this.#surroundings.processor.process(put.batch, put.position),
          )
          batches++
        }
      }
    } catch (error) {
      if (!isPassing(error)) counter.EventReadFail++
      throw error
    } finally {
      await puts.finish()
    }
    this.#surroundings.progress.bytesRead += puts.putBytes
    if (puts.error !== undefined) throw puts.error
    if (batches > 0) file.lastReadMs = clock.monotonicMs()
    else if (this.#isIdle(file)) await this.#letGo(file)
    return batches > 0
  }

  /** The events `[from, until)` of a chunk, and which bytes of the file they are. */
  #part(
    file: TailFile,
    chunk: TailChunk,
    from: number,
    until: number,
  ): { batch: EventBatch; position: SourcePosition } {
    const { batch } = chunk
    const origin = chunk.start - batch.start(0)
    const isLast = until === batch.count
    const endInBuffer = isLast ? chunk.end - origin : batch.start(until)
    const position: SourcePosition = {
      source: this.#name,
      path: file.path,
      ...file.identity,
      start: origin + batch.start(from),
      end: origin + endInBuffer,
      fingerprint: fingerprintBefore(batch.bytes, endInBuffer),
    }
    return { batch: this.#withHeaders(file, batch.slice(from, until), origin), position }
  }

  #withHeaders(file: TailFile, batch: EventBatch, origin: number): EventBatch {
    const { fileHeader, fileHeaderKey, byteOffsetHeader } = this.#options
    const group = this.#groups.find(({ name }) => name === file.group)!
    let headers: Headers = group.headers
    if (fileHeader) headers = { ...headers, [fileHeaderKey]: file.path }
    if (!byteOffsetHeader) return headers === batch.headers ? batch : batch.withHeaders(headers)
    const own = new Array<Headers | undefined>(batch.first + batch.count)
    for (let index = 0; index < batch.count; index++) {
      own[batch.first + index] = { byteoffset: String(origin + batch.start(index)) }
    }
    return batch.withHeaders(headers, own)
  }

  #restart(file: TailFile): void {
    const { logger } = this.#surroundings
    logger.warn(
      { source: this.#name, file: file.path, offset: file.position.offset },
      'file was truncated: reading it from its start',
    )
    file.restart()
  }

  #isIdle(file: TailFile): boolean {
    const idleMs = this.#surroundings.clock.monotonicMs() - file.lastReadMs
    return idleMs >= this.#options.idleTimeout
  }

  /** Closes a file of which nothing came for long; one without a name is forgotten. */
  async #letGo(file: TailFile): Promise<void> {
    await file.close()
    file.isDormant = true
    if (file.isOrphan) this.#files.delete(keyOf(file))
  }

  /** Finds new files, new names of known ones, and those whose names are gone. */
  async #scan(): Promise<void> {
    const { clock } = this.#surroundings
    this.#scannedMs = clock.monotonicMs()
    const found = new Map<string, FoundFile>()
    for (const group of this.#groups) {
      for (const file of await this.#list(group)) {
        const key = keyOf(file.stat)
        if (file.matches || !found.has(key)) found.set(key, file)
      }
    }
    for (const [key, file] of this.#files) {
      const now = found.get(key)
      file.isOrphan = now === undefined || !now.matches
      if (now !== undefined) file.path = now.path
      if (now === undefined && !file.isOpen) this.#files.delete(key)
      if (!file.isDormant || now?.stat.sizeBytes === file.position.offset) continue
      file.isDormant = false
      file.lastReadMs = this.#scannedMs
    }
    const fresh = [...found.values()].filter(({ stat }) => !this.#files.has(keyOf(stat)))
    fresh.sort((a, b) => a.stat.modifiedMs - b.stat.modifiedMs)
    for (const file of fresh) await this.#adopt(file)
    this.#isFirstScan = false
  }

  async #list(group: FileGroup): Promise<FoundFile[]> {
    const { disk } = this.#surroundings
    if ((await disk.stat(group.directory)) === undefined) return []
    const files: FoundFile[] = []
    for (const name of await disk.list(group.directory)) {
      const matches = group.pattern.test(name)
      // After a start a file may have been renamed out of the pattern with lines left to read.
      if (!matches && !this.#isFirstScan) continue
      const path = join(group.directory, name)
      const stat = await disk.stat(path)
      if (stat !== undefined && !stat.isDirectory) files.push({ path, group, stat, matches })
    }
    return files
  }

  async #adopt({ path, group, stat, matches }: FoundFile): Promise<void> {
    const { clock, disk } = this.#surroundings
    const position = this.#startPosition(stat)
    if (!matches && (position === undefined || position.offset >= stat.sizeBytes)) return
    const start = position ?? {
      offset: this.#options.skipToEnd && this.#isFirstScan ? stat.sizeBytes : 0,
      generation: 0,
      fingerprint: noFingerprint,
    }
    const { device, inode } = stat
    const file = new TailFile(
      { device, inode, path, group: group.name },
      start,
      this.#options.maxLineBytes,
      clock.monotonicMs(),
    )
    file.isOrphan = !matches
    this.#files.set(keyOf(stat), file)
    await file.open(disk)
  }

  /** Where an earlier run stopped: what the channels have, or the position file where it is ahead. */
  #startPosition(stat: DiskStat): TailPosition | undefined {
    const noted = this.#noted.get(stat.inode)?.pos
    const known = this.#surroundings.processor.resumePosition(this.#name, stat, noted)
    if (known === undefined) return undefined
    const { end, generation, fingerprint } = known
    return { offset: end, generation, fingerprint }
  }

  async #writePositions(): Promise<void> {
    const { clock, disk } = this.#surroundings
    this.#notedMs = clock.monotonicMs()
    const entries = [...this.#files.values()].map((file) => ({
      inode: file.inode,
      pos: file.position.offset,
      file: file.path,
    }))
    await disk.writeFileAtomic(this.#options.positionFile, formatPositions(entries))
  }
}

/** Puts of one file under way, in order; after the first failure nothing more is put. */
class PutWindow {
  readonly #file: TailFile
  readonly #capacity: number
  readonly #puts: Promise<void>[] = []
  /** Up to where all channels have the file. */
  #accepted: TailPosition
  error: unknown
  putBytes = 0

  constructor(file: TailFile, capacity: number) {
    this.#file = file
    this.#capacity = capacity
    this.#accepted = file.position
  }

  /** Starts a put once there is room; throws when an earlier one failed. */
  async add(position: SourcePosition, put: () => Promise<void>): Promise<void> {
    if (this.#puts.length >= this.#capacity) await this.#puts.shift()
    if (this.error !== undefined) throw this.error
    this.#puts.push(this.#track(position, put()))
  }

  /** Waits for all puts; throws when one failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#puts.splice(0))
    if (this.error !== undefined) throw this.error
  }

  /** Waits for all puts; after a failure the file goes back to where the last accepted one ended. */
  async finish(): Promise<void> {
    await Promise.all(this.#puts.splice(0))
    if (this.error !== undefined) this.#file.moveTo(this.#accepted)
  }

  async #track(position: SourcePosition, put: Promise<void>): Promise<void> {
    try {
      await put
      if (this.error !== undefined) return
      const { end, generation, fingerprint } = position
      this.#accepted = { offset: end, generation, fingerprint }
      this.putBytes += position.end - position.start
    } catch (error) {
      this.error ??= error
    }
  }
}

/** Failures that time may cure: the lines are read and put again. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof AgentError)) return false
  return ['CHANNEL_FULL', 'CHANNEL_SPACE', 'POSITION_GAP'].includes(error.code)
}

function keyOf({ device, inode }: { device: number; inode: number }): string {
  return `${device}:${inode}`
}
