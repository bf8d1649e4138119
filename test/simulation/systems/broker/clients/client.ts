// A client of the simulated brokers: one process with connections of its own, which works until the
// end of the safety phase, completes what it has begun, and records what it asked and was answered.

import { isRetriableFailure } from '../../../../../protocol/client/clientError.ts'
import { Cluster } from '../../../../../protocol/client/cluster/cluster.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { Random } from '../../../../../protocol/runtime/random.ts'
import { sleep } from '../../../../../protocol/runtime/time/clock.ts'
import type { Recorder } from '../../../checkers/history.ts'
import type { SimulatedProcess } from '../../../world/simulatedProcess.ts'
import type { BrokerParameters } from '../brokerParameters.ts'
import type { ReadingProgress } from '../readingProgress.ts'

/** What the clients of one run share: nothing that a real client could not know. */
export interface Shared {
  readonly recorder: Recorder
  readonly parameters: BrokerParameters
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
  /** Whether the safety phase is over: clients begin nothing new. */
  isOver: boolean
  /** Whether no client writes any more: readers read to the end, and stop. */
  writersAreDone: boolean
  /** Whether all that can be read was read: members leave their groups. */
  readersAreDone: boolean
  readonly progress: ReadingProgress
  nowMs(): number
  /** Kept for a client through its incarnations, by its name. */
  readonly memories: Map<string, unknown>
  violate(name: string, message: string): void
  reached(mark: string): void
  note(who: string, what: string): void
}

export type ClientProgram = (client: Client) => Promise<void>

export class Client {
  readonly process: SimulatedProcess
  readonly shared: Shared
  readonly cluster: Cluster
  readonly random: Random

  constructor(process: SimulatedProcess, shared: Shared) {
    this.process = process
    this.shared = shared
    this.random = process.random.fork('workload')
    const { requestTimeoutMs } = shared.parameters.workload
    this.cluster = new Cluster(process.runtime, {
      bootstrap: shared.bootstrap,
      clientId: process.shortName,
      requestTimeoutMs,
      retryBackoffMs: 10,
      retryBackoffMaxMs: 200,
      allowAutoTopicCreation: false,
    })
  }

  /** Unique in the run: each incarnation is a process of its own. */
  get name(): string {
    return this.process.name
  }

  get recorder(): Recorder {
    return this.shared.recorder
  }

  get isOver(): boolean {
    return this.shared.isOver
  }

  get clock() {
    return this.process.runtime.clock
  }

  pause(ms: number): Promise<void> {
    return sleep(this.clock, ms)
  }

  /** Pauses for up to twice the mean. */
  think(): Promise<void> {
    return this.pause(2 * this.shared.parameters.workload.thinkMs * this.random.float())
  }

  /** What the incarnations of this client have in common. */
  memory<T>(create: () => T): T {
    const { memories } = this.shared
    const name = `${this.process.host.name}/${this.process.shortName}`
    if (!memories.has(name)) memories.set(name, create())
    return memories.get(name) as T
  }

  /** Repeats an attempt whose repetition does no harm, until it succeeds. */
  async patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const backoff = this.cluster.newBackoff()
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isPassing(error)) throw error
        await this.pause(backoff.failed())
      }
    }
  }
}

/** Answers of a broker whose disk is full, or failed, until it was restarted. */
const passingCodes: ReadonlySet<number> = new Set([
  ErrorCode.concurrentTransactions,
  ErrorCode.kafkaStorageError,
  ErrorCode.unknownServerError,
])

/** A condition that passes, or an answer that was lost. */
export function isPassing(error: unknown): boolean {
  if (isRetriableFailure(error)) return true
  return error instanceof KafkaError && passingCodes.has(error.errorCode)
}

export function throwUnlessNone(errorCode: number): void {
  if (errorCode !== ErrorCode.none) throw new KafkaError(errorCode)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
