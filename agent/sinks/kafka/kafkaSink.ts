// Flume's Kafka sink, each event exactly once from a durable channel: what is about to be sent, and
// under which producer sequence, is noted in the channel first (prepare). After a crash the channel
// hands out the same events with the same note, and the broker drops the batches that it has.
//
// At most five takes are under way, because a broker remembers the last five batches of a producer:
// of more it could not tell which it has (KIP-98).

import { BatchSender } from '../../../protocol/client/batchSender.ts'
import { ClientError } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster.ts'
import { initProducerId } from '../../../protocol/client/initProducerId.ts'
import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { sleep } from '../../../protocol/runtime/clock.ts'
import { NetworkError } from '../../../protocol/runtime/network.ts'
import type { Runtime } from '../../../protocol/runtime/runtime.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { Channel, ChannelTransaction } from '../../channels/channel.ts'
import type { EventBatch } from '../../event.ts'
import type { KafkaSinkCounter } from '../../monitoring/counters.ts'
import { longestWaitMs, type Polled } from '../../polled.ts'
import { countTake } from '../drainBatch.ts'
import { encodeSend } from './encodeSend.ts'
import { route, topicsOf } from './eventRouting.ts'
import { InFlightTake, type Refusal } from './inFlightTake.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'
import { decodeStamp, encodeStamp, type KafkaStamp } from './kafkaStamp.ts'
import { isTooLarge, OversizeLog } from './oversizedBatch.ts'
import { ProducerSequences } from './producerSequences.ts'
import { eventsWithin, hasSizeBesideBodies } from './takeSize.ts'

const maxTakesInFlight = 5
/** Asking for a producer id or metadata gives up after this, to be tried again. */
const requestTimeoutMs = 5000
/** While stopping, what has been sent may still be answered for so long. */
const stopTimeoutMs = 2000
const firstBackoffMs = 100
const maxBackoffMs = 5000
/** Of a request, for what is not records. */
const requestOverheadBytes = 512

export interface KafkaSinkSurroundings {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly counter: KafkaSinkCounter
}

export class KafkaSink implements Polled {
  readonly #name: string
  readonly #channel: Channel
  readonly #settings: KafkaSinkSettings
  readonly #surroundings: KafkaSinkSurroundings
  readonly #cluster: Cluster
  readonly #sender: BatchSender
  readonly #oversize: OversizeLog
  readonly #sequences = new ProducerSequences()
  /** Prepared and sent, oldest first. */
  #inFlight: InFlightTake[] = []
  #hasResumed = false
  #failures = 0
  /** Chooses partitions in turn. */
  #turn = 0

  constructor(
    name: string,
    channel: Channel,
    settings: KafkaSinkSettings,
    surroundings: KafkaSinkSurroundings,
  ) {
    this.#name = name
    this.#channel = channel
    this.#settings = settings
    this.#surroundings = surroundings
    const { runtime, logger } = surroundings
    const { bootstrap } = settings
    this.#oversize = new OversizeLog(logger, runtime.clock)
    this.#cluster = new Cluster(runtime, { bootstrap, clientId: `millrace-agent-${name}` })
    this.#sender = new BatchSender(this.#cluster, runtime.clock, {
      acks: -1,
      deliveryTimeoutMs: Number.POSITIVE_INFINITY,
      maxInFlight: maxTakesInFlight,
    })
  }

  async start(): Promise<void> {
    const { counter, runtime } = this.#surroundings
    counter.StartTime = runtime.clock.nowMs()
    counter.ConnectionCreatedCount++
    const last = this.#channel.lastStamp(this.#name)
    if (last !== undefined) this.#sequences.resume(decodeStamp(last))
  }

  async stop(): Promise<void> {
    const { counter, runtime } = this.#surroundings
    const late = new AbortController()
    const answered = Promise.all(this.#inFlight.map((take) => take.settled))
    await Promise.race([answered, sleep(runtime.clock, stopTimeoutMs, late.signal)])
    late.abort()
    await this.#commitAnswered()
    // What is still open stays prepared: the next start sends it again, the same.
    for (const take of this.#inFlight.splice(0)) take.transaction.detach()
    this.#sender.close()
    await this.#cluster.close()
    counter.ConnectionClosedCount++
    counter.StopTime = runtime.clock.nowMs()
  }

  async process(signal: AbortSignal): Promise<number> {
    try {
      if (!this.#hasResumed) await this.#resume()
      await this.#commitAnswered()
      if (this.#firstRefusal() !== undefined) return await this.#recover()
      const hasRoom = this.#inFlight.length < maxTakesInFlight
      if (hasRoom && (await this.#sendNext())) return 0
      await this.#waitForNews(hasRoom, signal)
      return 0
    } catch (error) {
      if (!isDeliveryFailure(error)) throw error
      return this.#backOff(error)
    }
  }

  /** Sends again what an earlier run, or an earlier failure, left prepared. */
  async #resume(): Promise<void> {
    for (const { transaction, batches, stamp } of await this.#channel.resumePrepared(this.#name)) {
      this.#send(transaction, batches, decodeStamp(stamp))
    }
    this.#hasResumed = true
  }

  /** Takes what is there, notes what will be sent, and sends it; false when there is nothing. */
  async #sendNext(): Promise<boolean> {
    const { batchSize } = this.#settings
    let maxEvents = Math.min(batchSize, this.#channel.transactionCapacity)
    for (;;) {
      const transaction = this.#channel.transaction()
      transaction.begin()
      const taken = await this.#takeInto(transaction, maxEvents)
      if (taken.stamp !== undefined) {
        try {
          await transaction.prepare(this.#name, encodeStamp(taken.stamp))
        } catch (error) {
          // The channel cannot note it (its disk is full): the events wait for the next instance.
          await transaction.rollback()
          transaction.close()
          throw error
        }
        this.#send(transaction, taken.batches, taken.stamp)
        return true
      }
      transaction.close()
      if (taken.fitting === 0) return false
      maxEvents = taken.fitting
    }
  }

  /**
   * Takes and stamps. Without a stamp the transaction is completed: there was nothing, or more than
   * one request carries, of which `fitting` events would do.
   */
  async #takeInto(
    transaction: ChannelTransaction,
    maxEvents: number,
  ): Promise<{ batches: EventBatch[]; fitting: number; stamp?: KafkaStamp }> {
    try {
      const maxBytes = this.#settings.maxRequestBytes - requestOverheadBytes
      const batches = await transaction.take(maxEvents, maxBytes)
      const events = batches.reduce((sum, batch) => sum + batch.count, 0)
      const isBounded = !hasSizeBesideBodies(this.#settings, batches)
      const fitting = isBounded ? events : eventsWithin(this.#settings, batches, maxBytes)
      if (fitting < events) {
        await transaction.rollback()
        return { batches, fitting }
      }
      countTake(this.#surroundings.counter, batches, maxEvents)
      if (events > 0) return { batches, fitting, stamp: await this.#stamp(batches, events) }
      await transaction.commit()
      return { batches, fitting }
    } catch (error) {
      await transaction.rollback()
      transaction.close()
      throw error
    }
  }

  async #stamp(batches: readonly EventBatch[], events: number): Promise<KafkaStamp> {
    const counts = new Map<string, number>()
    for (const topic of topicsOf(this.#settings, batches)) {
      counts.set(topic, await this.#cluster.partitionCount(topic))
    }
    if (this.#sequences.identity === undefined) {
      this.#sequences.renew(await initProducerId(this.#cluster, requestTimeoutMs))
    }
    // Nothing may fail from here on: a sequence that is given and not sent would be a gap.
    const routes = route(this.#settings, batches, counts, this.#turn++)
    const sends = routes.map(({ topic, partition, events: some }) => ({
      topic,
      partition,
      baseSequence: this.#sequences.advance(topic, partition, some?.length ?? events),
      ...(some && { events: some }),
    }))
    return {
      ...this.#sequences.identity!,
      timestampMs: this.#surroundings.runtime.clock.nowMs(),
      sends,
      nextSequences: this.#sequences.snapshot(),
    }
  }

  #send(transaction: ChannelTransaction, batches: readonly EventBatch[], stamp: KafkaStamp): void {
    const sends = stamp.sends.map((send) => {
      const bytes = encodeSend(this.#settings, batches, stamp, send)
      const sent = this.#sender.send(send.topic, send.partition, bytes)
      return { stamp: send, sizeBytes: bytes.length, sent }
    })
    this.#inFlight.push(new InFlightTake(transaction, batches, sends))
  }

  /** Commits the takes that are stored, oldest first, up to the first that is not answered yet. */
  async #commitAnswered(): Promise<void> {
    while (this.#inFlight[0]?.isStored) {
      const { transaction, events } = this.#inFlight.shift()!
      await transaction.commit()
      transaction.close()
      this.#surroundings.counter.EventDrainSuccessCount += events
      this.#failures = 0
    }
  }

  /** Of the oldest take that has one: later ones may be refused for no more than the gap it left. */
  #firstRefusal(): Refusal | undefined {
    return this.#inFlight.find((take) => take.refusal !== undefined)?.refusal
  }

  /** A send failed for good. Waits for the others' answers and decides what becomes of the rest. */
  async #recover(): Promise<number> {
    await Promise.all(this.#inFlight.map((take) => take.settled))
    const refusal = this.#firstRefusal()!
    const isDisowned = isProducerDisowned(refusal.error)
    for (const take of this.#inFlight.splice(0)) {
      if (take.isStored) await take.transaction.commit()
      else if (isDisowned) await take.transaction.rollback()
      else {
        take.transaction.detach()
        continue
      }
      take.transaction.close()
    }
    // The broker does not know, or want, this producer: the events are sent by a new one.
    if (isDisowned) this.#sequences.forget()
    else this.#hasResumed = false
    if (!isTooLarge(refusal.error)) return this.#backOff(refusal.error)
    this.#oversize.report(refusal, this.#settings.maxRequestBytes)
    return this.#countRollback()
  }

  #backOff(error: unknown): number {
    const retryMs = this.#countRollback()
    const { logger } = this.#surroundings
    logger.warn({ sink: this.#name, error, retryMs }, 'events were not delivered, will retry')
    return retryMs
  }

  /** Returns how long to wait until the next try. */
  #countRollback(): number {
    this.#surroundings.counter.RollbackCount++
    return Math.min(firstBackoffMs * 2 ** this.#failures++, maxBackoffMs)
  }

  /** Until the oldest send is answered, or events come for which there is room. */
  async #waitForNews(hasRoom: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#surroundings.runtime
    const enough = new AbortController()
    const end = () => enough.abort()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const oldest = this.#inFlight[0]?.settled
    await Promise.race([
      hasRoom
        ? this.#channel.waitForEvents(longestWaitMs, enough.signal)
        : sleep(clock, longestWaitMs, enough.signal),
      ...(oldest === undefined ? [] : [oldest]),
    ])
    end()
    signal.removeEventListener('abort', end)
  }
}

function isDeliveryFailure(error: unknown): boolean {
  return (
    error instanceof KafkaError || error instanceof NetworkError || error instanceof ClientError
  )
}

/** The broker has forgotten the producer, fenced it, or lost records that it had acknowledged. */
function isProducerDisowned(error: Error): boolean {
  if (!(error instanceof KafkaError)) return false
  const codes: readonly number[] = [
    ErrorCode.unknownProducerId,
    ErrorCode.outOfOrderSequenceNumber,
    ErrorCode.invalidProducerEpoch,
    ErrorCode.producerFenced,
  ]
  return codes.includes(error.errorCode)
}
