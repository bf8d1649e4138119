// Batches requests to add partitions to transactions. The coordinator takes one step of a
// transaction at a time and refuses other requests meanwhile; here they wait for their turn, at
// most 100 ms, and those of one producer are then sent together: a client that begins with sixteen
// partitions costs one write instead of sixteen. The partitions of a producer are added in the
// order of its requests.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import type { ClientTransactionVersion } from './transactionMetadata.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

/** Longest wait of a request, in ms: Kafka's add.partitions.to.txn.retry.backoff.max.ms. */
const patienceMs = 100

/** Maximum number of waiting requests for one transactional id; further ones are refused. */
const maxWaiting = 1000

export type AddPartitions = (
  producer: ProducerIdentity,
  partitions: readonly TopicPartition[],
  version: ClientTransactionVersion,
) => Promise<number>

interface Addition {
  readonly producer: ProducerIdentity
  readonly partitions: readonly TopicPartition[]
  readonly version: ClientTransactionVersion
  readonly deadlineMs: number
  readonly resolve: (errorCode: number) => void
}

/** The waiting additions to one transaction. */
interface Queue {
  waiting: Addition[]
  /** How many of these the coordinator is being asked for; 0 when it is not being asked. */
  asked: number
  /** A step ended while the coordinator was being asked: its refusal may be outdated. */
  hasSettled: boolean
  timer: Timer | undefined
}

export class PartitionAdditions {
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  readonly #add: AddPartitions
  readonly #queues = new Map<string, Queue>()

  /** `add` sends a request to the coordinator, which may answer CONCURRENT_TRANSACTIONS. */
  constructor(clock: Clock, scheduler: Scheduler, add: AddPartitions) {
    this.#clock = clock
    this.#scheduler = scheduler
    this.#add = add
  }

  /** Requests that wait for their turn; those that the coordinator is being asked for excluded. */
  get waiting(): number {
    let waiting = 0
    for (const queue of this.#queues.values()) {
      waiting += Math.max(0, queue.waiting.length - queue.asked)
    }
    return waiting
  }

  /** Resolves with an error code for all of the partitions, once they are durably added. */
  add(
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): Promise<number> {
    const { transactionalId } = producer
    const queue = this.#queueOf(transactionalId)
    if (queue.waiting.length >= maxWaiting) {
      return Promise.resolve(ErrorCode.concurrentTransactions)
    }
    return new Promise((resolve) => {
      const deadlineMs = this.#clock.monotonicMs() + patienceMs
      queue.waiting.push({ producer, partitions, version, deadlineMs, resolve })
      // Deferred, so that all partitions of one request are sent together.
      if (queue.waiting.length === 1) this.#scheduler.soon(() => void this.#ask(transactionalId))
    })
  }

  /** Sends the waiting requests of a transaction, none of whose steps is in progress any more. */
  settled(transactionalId: string): void {
    const queue = this.#queues.get(transactionalId)
    if (!queue) return
    queue.hasSettled = true
    void this.#ask(transactionalId)
  }

  /** Refuses every waiting request with the error. */
  close(errorCode: number): void {
    for (const [transactionalId, queue] of this.#queues) {
      this.#refuse(transactionalId, queue, Number.POSITIVE_INFINITY, errorCode)
    }
  }

  #queueOf(transactionalId: string): Queue {
    const known = this.#queues.get(transactionalId)
    if (known) return known
    const queue: Queue = { waiting: [], asked: 0, hasSettled: false, timer: undefined }
    this.#queues.set(transactionalId, queue)
    return queue
  }

  async #ask(transactionalId: string): Promise<void> {
    const queue = this.#queues.get(transactionalId)
    if (!queue || queue.asked > 0 || queue.waiting.length === 0) return
    const { producer, version } = queue.waiting[0]!
    const together = queue.waiting.filter((each) => goesWith(each, producer, version))
    const partitions = together.flatMap((each) => each.partitions)
    queue.asked = together.length
    queue.hasSettled = false
    const errorCode = await this.#add(producer, partitions, version)
    queue.asked = 0
    if (errorCode === ErrorCode.concurrentTransactions) {
      this.#refuse(transactionalId, queue, this.#clock.monotonicMs(), errorCode)
      if (queue.hasSettled) void this.#ask(transactionalId)
      else this.#watch(transactionalId, queue)
      return
    }
    queue.waiting = queue.waiting.filter((each) => !together.includes(each))
    for (const { resolve } of together) resolve(errorCode)
    if (queue.waiting.length > 0) void this.#ask(transactionalId)
    else this.#forget(transactionalId, queue)
  }

  /** Refuses the requests that have waited for too long. */
  #refuse(transactionalId: string, queue: Queue, nowMs: number, errorCode: number): void {
    const late = queue.waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    queue.waiting = queue.waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
    for (const { resolve } of late) resolve(errorCode)
    if (queue.waiting.length === 0) this.#forget(transactionalId, queue)
  }

  #watch(transactionalId: string, queue: Queue): void {
    const [oldest] = queue.waiting
    if (!oldest || queue.timer) return
    const delayMs = oldest.deadlineMs - this.#clock.monotonicMs()
    queue.timer = this.#clock.setTimer(delayMs, () => {
      queue.timer = undefined
      void this.#ask(transactionalId)
    })
  }

  #forget(transactionalId: string, queue: Queue): void {
    queue.timer?.cancel()
    queue.timer = undefined
    if (queue.asked === 0) this.#queues.delete(transactionalId)
  }
}

function goesWith(
  each: Addition,
  producer: ProducerIdentity,
  version: ClientTransactionVersion,
): boolean {
  const { producerId, producerEpoch } = each.producer
  const isSame = producerId === producer.producerId && producerEpoch === producer.producerEpoch
  return isSame && each.version === version
}
