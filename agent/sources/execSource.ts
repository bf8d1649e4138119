// Flume's exec source: the lines that a command prints. It promises little, as Flume's does: what a
// channel does not take is lost, and so is what the command prints while nobody listens. Use taildir
// for files.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { ChannelProcessor } from '../channelProcessor.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import { EventBatch } from '../event.ts'
import type { SourceCounter, SourceProgress } from '../monitoring/counters.ts'
import { longestWaitMs, type Polled } from '../polled.ts'
import type { ExecProcess, StartProcess } from './execProcess.ts'
import { findLines } from './taildir/lines.ts'

export const execOptions = {
  command: {
    type: 'string',
    required: true,
    doc: 'what to run; split at blanks unless shell is given',
  },
  shell: { type: 'string', doc: 'a shell and its option to run the command, such as /bin/sh -c' },
  restart: { type: 'boolean', default: false, doc: 'run the command again when it ends' },
  restartThrottle: { type: 'integer', default: 10_000, doc: 'milliseconds before it is run again' },
  logStdErr: { type: 'boolean', default: false, doc: "log the command's standard error" },
  batchSize: { type: 'integer', default: 20, min: 1, doc: 'lines put at a time, at most' },
  batchTimeout: {
    type: 'integer',
    default: 3000,
    doc: 'accepted, without effect: lines never wait for others, what one read brings is put at once',
  },
  charset: {
    type: 'string',
    default: 'UTF-8',
    doc: 'accepted, without effect: bytes pass as they are',
  },
} as const satisfies OptionTable

/** A line that is longer is split: the command must not fill the memory. */
const maxLineBytes = 1024 * 1024

export interface ExecSurroundings {
  readonly clock: Clock
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly processor: ChannelProcessor
  readonly progress: SourceProgress
  readonly startProcess: StartProcess
}

export class ExecSource implements Polled {
  readonly #options: OptionValues<typeof execOptions>
  readonly #surroundings: ExecSurroundings
  #process: ExecProcess | undefined
  #output: AsyncIterator<Buffer> | undefined
  /** The read that is under way, kept over calls of `process`. */
  #reading: Promise<IteratorResult<Buffer>> | undefined
  #partial = Buffer.alloc(0)
  #hasEnded = false

  constructor(options: OptionValues<typeof execOptions>, surroundings: ExecSurroundings) {
    this.#options = options
    this.#surroundings = surroundings
  }

  async start(): Promise<void> {
    this.#surroundings.counter.StartTime = this.#surroundings.clock.nowMs()
  }

  async stop(): Promise<void> {
    this.#process?.kill()
    await this.#process?.exit
    this.#surroundings.counter.StopTime = this.#surroundings.clock.nowMs()
  }

  /** Puts what one read of the command's output brings; restarts the command when it is due. */
  async process(signal: AbortSignal): Promise<number> {
    if (this.#hasEnded) return longestWaitMs
    if (this.#process === undefined) this.#run()
    this.#reading ??= this.#output!.next()
    const read = await orAborted(this.#reading, signal)
    if (read === undefined) return 0
    this.#reading = undefined
    if (read.done) return await this.#ended()
    await this.#accept(read.value)
    return 0
  }

  #run(): void {
    const { command, shell, logStdErr } = this.#options
    const words = shell === undefined ? command.split(/\s+/) : [...shell.split(/\s+/), command]
    this.#process = this.#surroundings.startProcess(words)
    this.#output = this.#process.output[Symbol.asyncIterator]()
    void this.#readErrors(this.#process, logStdErr)
  }

  async #ended(): Promise<number> {
    const { logger } = this.#surroundings
    const { command, restart, restartThrottle } = this.#options
    if (this.#partial.length > 0) await this.#accept(Buffer.from('\n'))
    const exit = await this.#process!.exit
    this.#process = undefined
    this.#hasEnded = !restart
    logger.info({ command, exit, restart }, 'the command of an exec source ended')
    return restart ? restartThrottle : longestWaitMs
  }

  /** Puts the whole lines of a piece of output; keeps what is behind the last of them. */
  async #accept(piece: Buffer): Promise<void> {
    const bytes = this.#partial.length === 0 ? piece : Buffer.concat([this.#partial, piece])
    const { ranges, count, end } = findLines(bytes, 0, bytes.length)
    const rest = bytes.subarray(end)
    if (rest.length > maxLineBytes) {
      this.#partial = Buffer.alloc(0)
      await this.#put(new EventBatch(bytes, ranges, count))
      return await this.#put(new EventBatch(bytes, Uint32Array.of(end, bytes.length), 1))
    }
    this.#partial = Buffer.from(rest)
    await this.#put(new EventBatch(bytes, ranges, count))
  }

  async #put(batch: EventBatch): Promise<void> {
    const { processor, logger, progress } = this.#surroundings
    for (let from = 0; from < batch.count; from += this.#options.batchSize) {
      const part = batch.slice(from, Math.min(from + this.#options.batchSize, batch.count))
      progress.bytesRead += part.bodyBytes()
      try {
        await processor.process(part)
      } catch (error) {
        logger.error({ events: part.count, error }, 'dropped lines of an exec source')
      }
    }
  }

  async #readErrors(process: ExecProcess, isLogged: boolean): Promise<void> {
    for await (const piece of process.errors) {
      if (!isLogged) continue
      const text = piece.toString().trimEnd()
      this.#surroundings.logger.warn({ command: this.#options.command, text }, 'standard error')
    }
  }
}

/** Undefined when the signal aborts first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined)
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
