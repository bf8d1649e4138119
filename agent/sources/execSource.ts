// Flume's exec source: each line that a command prints is an event. While a channel is full, the
// output is not read, so the pipe fills and the command blocks: no line is dropped. Output printed
// while the agent is stopped is lost; use taildir for files.

import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { sleep } from '../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { AgentReason } from '../agentReasons.ts'
import type { ChannelProcessor } from '../channelProcessor.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import { AgentError } from '../errors.ts'
import { batchOf, EventBatch } from '../event.ts'
import type { SourceCounter, SourceProgress } from '../monitoring/counters.ts'
import { longestWaitMs, orAborted, type Polled } from '../polled.ts'
import type { ExecProcess, StartProcess } from './execProcess.ts'
import { LineReader } from './readerLines.ts'

export const execOptions = {
  command: {
    type: 'string',
    required: true,
    doc: 'Command to run; split at whitespace unless shell is set.',
  },
  shell: {
    type: 'string',
    doc: 'Shell that runs the command, with its option, such as /bin/sh -c.',
  },
  restart: {
    type: 'boolean',
    default: false,
    doc: 'Whether to restart the command when it exits.',
  },
  restartThrottle: {
    type: 'integer',
    default: 10_000,
    doc: 'Delay before the command is restarted, in ms.',
  },
  logStdErr: {
    type: 'boolean',
    default: false,
    doc: 'Whether to log the standard error of the command.',
  },
  batchSize: {
    type: 'integer',
    default: 20,
    min: 1,
    doc: 'Maximum number of lines in one put transaction.',
  },
  batchTimeout: {
    type: 'integer',
    default: 3000,
    doc: 'Accepted without effect: the lines of a read are put at once and never wait for more.',
  },
  charset: {
    type: 'string',
    default: 'UTF-8',
    doc: 'Accepted without effect: bytes are passed on unchanged.',
  },
} as const satisfies OptionTable

/** Longer lines are split, so that the command cannot exhaust memory. */
const maxLineBytes = 1024 * 1024
/** Backoff before a refused batch is put again; doubles up to the maximum. */
const firstRetryMs = 250
const mostRetryMs = 5000
/**
 * Time before a refusal counts as over, in ms: a slightly slow sink fills the channel repeatedly.
 */
const refusalSettleMs = 60_000
/** While stopping, time for the put in flight to succeed. */
const putTimeoutMs = 500
/** Time after which a terminated command and its children are killed. */
const killTimeoutMs = 2000
/** Time after which a killed command is no longer waited for. */
const abandonTimeoutMs = 1000
/** Characters of the command's standard error that are kept for the message of a failure. */
const keptErrorCharacters = 500

export interface ExecDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly processor: ChannelProcessor
  readonly progress: SourceProgress
  readonly startProcess: StartProcess
}

export class ExecSource implements Polled {
  readonly #options: OptionValues<typeof execOptions>
  readonly #dependencies: ExecDependencies
  #process: ExecProcess | undefined
  #output: AsyncIterator<Buffer> | undefined
  /** The pending read, kept between calls of `process`. */
  #reading: Promise<IteratorResult<Buffer>> | undefined
  #lines = new LineReader(maxLineBytes)
  /** Lines that were read but not put yet. */
  #pending: EventBatch | undefined
  /** The put in flight of the first pending lines, kept between calls of `process`. */
  #putting: Promise<number> | undefined
  #retryMs = 0
  readonly #isBlocked: LastingCondition
  #blockedBy = ''
  #lastErrors = ''
  /** The last exit: a restarted command that exits in the same way each time is logged once. */
  #lastExit: number | string | undefined
  #hasEnded = false
  /** Why the command exited; cleared when it prints again. */
  #failure: { readonly message: string; readonly sinceMs: number } | undefined

  constructor(options: OptionValues<typeof execOptions>, dependencies: ExecDependencies) {
    this.#options = options
    this.#dependencies = dependencies
    this.#isBlocked = new LastingCondition({
      ...{ ...dependencies, settleMs: refusalSettleMs },
      over: 'channels accept lines of the command again',
    })
  }

  async start(): Promise<void> {
    this.#dependencies.counter.StartTime = this.#dependencies.clock.nowMs()
  }

  async stop(): Promise<void> {
    const { clock, logger, counter } = this.#dependencies
    if (this.#process !== undefined) await this.#end(this.#process)
    const accepted = await orLate(this.#putting, clock, putTimeoutMs)
    const lost = (this.#pending?.count ?? 0) - (accepted ?? 0)
    if (lost > 0) {
      logger.warn({ lines: lost }, `${lost} lines of a command are lost: no channel accepted them`)
    }
    counter.StopTime = clock.nowMs()
  }

  troubles(): AgentReason[] {
    const { holds, sinceMs } = this.#isBlocked
    const reasons: AgentReason[] = []
    if (holds) reasons.push({ code: 'SOURCE_BLOCKED', message: this.#blockedBy, sinceMs })
    if (this.#failure) reasons.push({ code: 'SOURCE_FAILING', ...this.#failure })
    return reasons
  }

  /** Puts the lines of one read of the command's output; restarts the command if due. */
  async process(signal: AbortSignal): Promise<number> {
    if (this.#pending !== undefined) return await this.#putPending(signal)
    if (this.#hasEnded) return longestWaitMs
    if (this.#process === undefined) this.#run()
    this.#reading ??= this.#output!.next()
    const read = await orAborted(this.#reading, signal)
    if (read === undefined) return 0
    this.#reading = undefined
    if (read.done) return await this.#ended(signal)
    this.#failure = undefined
    const { bytes, ranges, count } = this.#lines.add(read.value)
    if (count === 0) return 0
    this.#pending = new EventBatch(bytes, ranges, count)
    return await this.#putPending(signal)
  }

  #run(): void {
    const { command, shell, logStdErr } = this.#options
    const words = shell === undefined ? command.split(/\s+/) : [...shell.split(/\s+/), command]
    this.#lastErrors = ''
    this.#process = this.#dependencies.startProcess(words)
    this.#output = this.#process.output[Symbol.asyncIterator]()
    void this.#readErrors(this.#process, logStdErr)
  }

  /** Handles the end of the command's output: puts an incomplete last line and logs the exit. */
  async #ended(signal: AbortSignal): Promise<number> {
    const { restart, restartThrottle } = this.#options
    // A command may close its output and keep running.
    const exit = await orAborted(this.#process!.exit, signal)
    if (exit === undefined) return 0
    const last = this.#lines.end()
    if (last !== undefined) this.#pending = batchOf([last])
    this.#process = undefined
    this.#output = undefined
    this.#hasEnded = !restart
    this.#logEnd(exit)
    if (this.#pending !== undefined) return await this.#putPending(signal)
    return restart ? restartThrottle : longestWaitMs
  }

  #logEnd(exit: number | string): void {
    const { clock, logger } = this.#dependencies
    const { command, restart, restartThrottle } = this.#options
    const next = restart
      ? `it is restarted in ${restartThrottle} ms`
      : 'it is not restarted, because restart is not true'
    const text = this.#lastErrors.trimEnd()
    const fields = { command, exit, ...(text && { text }) }
    const reason = exit === 0 ? 'exited' : (startFailures.get(exit) ?? `exited with ${exit}`)
    const message = `the command of an exec source ${reason}: ${next}`
    if (restart && exit === this.#lastExit) logger.debug(fields, message)
    else if (exit !== 0) logger.error(fields, message)
    else logger[restart ? 'info' : 'warn'](fields, message)
    this.#lastExit = exit
    const isFine = exit === 0 && restart
    this.#failure = isFine
      ? undefined
      : { message, sinceMs: this.#failure?.sinceMs ?? clock.nowMs() }
  }

  /** Puts the pending lines, one batch at a time, until a channel is full or the signal aborts. */
  async #putPending(signal: AbortSignal): Promise<number> {
    while (this.#pending !== undefined) {
      const { count } = this.#pending
      this.#putting ??= this.#put(this.#pending.slice(0, Math.min(this.#options.batchSize, count)))
      const accepted = await orAborted(this.#putting, signal)
      if (accepted === undefined) return 0
      this.#putting = undefined
      if (accepted === 0) return this.#retryMs
      this.#pending = accepted < count ? this.#pending.slice(accepted, count) : undefined
    }
    return this.#process === undefined ? this.#options.restartThrottle : 0
  }

  /** Puts a batch; returns the number of lines that the channels accepted: all or none. */
  async #put(part: EventBatch): Promise<number> {
    const { processor, progress } = this.#dependencies
    try {
      await processor.process(part)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      this.#refused(error)
      this.#retryMs = Math.min(Math.max(this.#retryMs * 2, firstRetryMs), mostRetryMs)
      return 0
    }
    this.#retryMs = 0
    this.#isBlocked.over()
    progress.bytesRead += part.bodyBytes()
    return part.count
  }

  #refused(error: AgentError): void {
    this.#blockedBy = error.message
    this.#isBlocked.met(
      { reason: error.message },
      'a channel refuses lines of the command: its output is not read until they are accepted',
      error.code,
    )
  }

  /** Terminates the command, then kills it; both waits are bounded. */
  async #end(process: ExecProcess): Promise<void> {
    const { clock, logger } = this.#dependencies
    process.kill()
    if ((await orLate(process.exit, clock, killTimeoutMs)) !== undefined) return
    process.kill(true)
    if ((await orLate(process.exit, clock, abandonTimeoutMs)) !== undefined) return
    const { command } = this.#options
    logger.error({ command }, 'command of an exec source did not exit after SIGKILL')
  }

  async #readErrors(process: ExecProcess, isLogged: boolean): Promise<void> {
    const { logger } = this.#dependencies
    try {
      for await (const piece of process.errors) {
        const text = piece.toString().trimEnd()
        this.#lastErrors = `${this.#lastErrors}${text}\n`.slice(-keptErrorCharacters).trimStart()
        if (isLogged) logger.warn({ command: this.#options.command, text }, 'standard error')
      }
    } catch (error) {
      logger.debug({ reason: String(error) }, 'failed to read the standard error of the command')
    }
  }
}

/** Exit codes of a shell for a command that failed to start. */
const startFailures: ReadonlyMap<number | string, string> = new Map([
  [126, 'failed to start: not executable (exit code 126)'],
  [127, 'failed to start: not found (exit code 127)'],
])

/**
 * Resolves like `promise`; with undefined if there is none, or it fails or does not settle in time.
 */
async function orLate<T>(
  promise: Promise<T> | undefined,
  clock: Clock,
  timeoutMs: number,
): Promise<T | undefined> {
  if (promise === undefined) return undefined
  const late = new AbortController()
  const result = await Promise.race([
    promise.catch(() => undefined),
    sleep(clock, timeoutMs, late.signal).then(() => undefined),
  ])
  late.abort()
  return result
}
