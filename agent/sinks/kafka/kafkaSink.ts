// Flume's Kafka sink. Delivers each event of a durable channel exactly once: before it sends a
// take, it prepares it in the channel with a stamp (producer id, epoch, sequence numbers). After a
// crash the channel hands out the same events with the same stamp, and the broker drops the batches
// it has.
//
// Contract. The same take with the same stamp gives identical batches. At most five takes are in
// flight, because a broker remembers the last five batches of a producer and does not recognize
// older ones (KIP-98).
//
// It must never send a take whose stamp is not durable, commit a take before all its batches are
// acknowledged by all in-sync replicas, or skip a sequence number of a producer that it keeps.

import { ClientError } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { BatchSender } from '../../../protocol/client/producer/batchSender.ts'
import { initProducerId } from '../../../protocol/client/producer/initProducerId.ts'
import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { NetworkError } from '../../../protocol/runtime/network/network.ts'
import type { Runtime } from '../../../protocol/runtime/runtime.ts'
import { sleep } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { AgentReason } from '../../agentReasons.ts'
import type { Channel, ChannelTransaction } from '../../channels/channel.ts'
import type { EventBatch } from '../../event.ts'
import type { KafkaSinkCounter, SinkProgress } from '../../monitoring/counters.ts'
import { longestWaitMs, orAborted, type Polled } from '../../polled.ts'
import { countTake } from '../drainBatch.ts'
import { ConnectionWatch } from './connectionWatch.ts'
import { DeliveryLog } from './deliveryLog.ts'
import { encodeSend } from './encodeSend.ts'
import { route, topicsOf } from './eventRouting.ts'
import { InFlightTake, type Refusal } from './inFlightTake.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'
import { decodeStamp, encodeStamp, type KafkaStamp, type StampedSend } from './kafkaStamp.ts'
import { isTooLarge, SizeLimit } from './sizeLimit.ts'
import { type PlannedSend, splitSends } from './splitSends.ts'
import { StampedProducer } from './stampedProducer.ts'
import { eventsWithin, hasSizeBesideBodies } from './takeSize.ts'

/** Timeout of a request for a producer id, which is retried. */
const requestTimeoutMs = 5000
/** While stopping, time for responses to sends in flight. */
const stopTimeoutMs = 2000
const firstBackoffMs = 100
const maxBackoffMs = 5000
/** Time after which a batch without response is logged. */
const answerTimeoutMs = 30_000
/** Interval between checks for a full batch while events linger. */
const lingerCheckMs = 10
/** Bytes of a request besides its records. */
const requestOverheadBytes = 512

export interface KafkaSinkDependencies {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly counter: KafkaSinkCounter
  readonly progress: SinkProgress
}

export class KafkaSink implements Polled {
  readonly #name: string
  readonly #channel: Channel
  readonly #settings: KafkaSinkSettings
  readonly #dependencies: KafkaSinkDependencies
  readonly #cluster: Cluster
  readonly #sender: BatchSender
  readonly #limit: SizeLimit
  readonly #log: DeliveryLog
  readonly #watch: ConnectionWatch
  readonly #producer = new StampedProducer()
  /** Takes that are prepared and sent, oldest first. */
  #inFlight: InFlightTake[] = []
  /** Takes with some events stored; a new producer has to send the others. */
  #partlyStored: InFlightTake[] = []
  #hasResumed = false
  #failures = 0
  /** Selects the partition of takes without key and partition, in turn. */
  #turn = 0

  constructor(
    name: string,
    channel: Channel,
    settings: KafkaSinkSettings,
    dependencies: KafkaSinkDependencies,
  ) {
    this.#name = name
    this.#channel = channel
    this.#settings = settings
    this.#dependencies = dependencies
    const { runtime, logger, counter } = dependencies
    const { clock } = runtime
    this.#limit = new SizeLimit(settings.maxRequestBytes, logger, clock)
    this.#log = new DeliveryLog(logger, clock, channel)
    this.#cluster = new Cluster(runtime, {
      ...settings,
      clientId: settings.clientId ?? `millrace-agent-${name}`,
    })
    this.#watch = new ConnectionWatch(this.#cluster, clock, counter, this.#log)
    this.#sender = new BatchSender(this.#cluster, runtime.clock, {
      acks: -1,
      deliveryTimeoutMs: Number.POSITIVE_INFINITY,
      maxInFlight: settings.maxTakesInFlight,
    })
  }

  async start(): Promise<void> {
    const { counter, runtime } = this.#dependencies
    counter.StartTime = runtime.clock.nowMs()
    void this.#watch.run(() => this.#reportUnanswered())
    const last = this.#channel.lastStamp(this.#name)
    if (last !== undefined) this.#producer.resume(decodeStamp(last))
  }

  async stop(): Promise<void> {
    const { counter, runtime } = this.#dependencies
    const late = new AbortController()
    const answered = Promise.all(this.#inFlight.map((take) => take.settled))
    await Promise.race([answered, sleep(runtime.clock, stopTimeoutMs, late.signal)])
    late.abort()
    await this.#commitAnswered()
    // Takes still in flight stay prepared: the next start sends identical batches.
    const open = [...this.#partlyStored.splice(0), ...this.#inFlight.splice(0)]
    for (const { transaction } of open) transaction.detach()
    this.#sender.close()
    this.#watch.stop()
    await this.#cluster.close()
    counter.StopTime = runtime.clock.nowMs()
  }

  troubles(): AgentReason[] {
    const { trouble } = this.#log
    return trouble ? [trouble] : []
  }

  async process(signal: AbortSignal): Promise<number> {
    try {
      if (!this.#hasResumed) await this.#resume()
      await this.#commitAnswered()
      if (this.#firstRefusal() !== undefined) return await this.#recover(signal)
      if (this.#partlyStored.length > 0) await this.#sendRests(signal)
      const hasRoom = this.#hasRoom
      if (hasRoom) await this.#linger(signal)
      if (hasRoom && (await this.#sendNext(signal))) return 0
      await this.#waitForNews(hasRoom, signal)
      return 0
    } catch (error) {
      if (!isDeliveryFailure(error)) throw error
      if (signal.aborted) return 0
      this.#log.failed(error)
      return this.#countRollback()
    }
  }

  /** Sends the takes again that an earlier run left prepared. */
  async #resume(): Promise<void> {
    for (const { transaction, batches, stamp } of await this.#channel.resumePrepared(this.#name)) {
      this.#send(transaction, batches, decodeStamp(stamp))
    }
    this.#hasResumed = true
  }

  /** Waits up to linger.ms until a full batch of events is in the channel. */
  async #linger(signal: AbortSignal): Promise<void> {
    const { lingerMs, batchSize } = this.#settings
    if (lingerMs === 0) return
    const { clock } = this.#dependencies.runtime
    const endMs = clock.monotonicMs() + lingerMs
    const taken = this.#inFlight.reduce((sum, { events }) => sum + events, 0)
    while (!signal.aborted && clock.monotonicMs() < endMs) {
      const waiting = this.#channel.size - taken
      if (waiting <= 0 || waiting >= batchSize) return
      await sleep(clock, Math.min(endMs - clock.monotonicMs(), lingerCheckMs), signal)
    }
  }

  /** Takes events, prepares the take and sends it; returns false if there are no events. */
  async #sendNext(signal: AbortSignal): Promise<boolean> {
    const { batchSize } = this.#settings
    let maxEvents = Math.min(batchSize, this.#channel.transactionCapacity)
    for (;;) {
      const transaction = this.#channel.transaction()
      transaction.begin()
      const taken = await this.#takeInto(transaction, maxEvents, signal)
      if (taken.stamp !== undefined) {
        try {
          await transaction.prepare(this.#name, encodeStamp(taken.stamp))
        } catch (error) {
          // The channel failed to record the take (full disk): the events are taken again later.
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
   * Takes events and stamps them. Without a stamp in the result the transaction is completed: there
   * were no events (`fitting` 0), or too many for one request, of which the first `fitting` would
   * fit.
   */
  async #takeInto(
    transaction: ChannelTransaction,
    maxEvents: number,
    signal: AbortSignal,
  ): Promise<{ batches: EventBatch[]; fitting: number; stamp?: KafkaStamp }> {
    try {
      const maxBytes = Math.min(this.#maxBytes, this.#settings.maxTakeBytes)
      const batches = await transaction.take(maxEvents, maxBytes)
      const events = batches.reduce((sum, batch) => sum + batch.count, 0)
      const isBounded = !hasSizeBesideBodies(this.#settings, batches)
      const fitting = isBounded ? events : eventsWithin(this.#settings, batches, maxBytes)
      if (fitting < events) {
        await transaction.rollback()
        return { batches, fitting }
      }
      countTake(this.#dependencies.counter, batches, maxEvents)
      if (events > 0) return { batches, fitting, stamp: await this.#stamp(batches, events, signal) }
      await transaction.commit()
      return { batches, fitting }
    } catch (error) {
      await transaction.rollback()
      transaction.close()
      throw error
    }
  }

  /** Maximum bytes of the records in one request. */
  get #maxBytes(): number {
    return this.#limit.bytes - requestOverheadBytes
  }

  async #stamp(
    batches: readonly EventBatch[],
    events: number,
    signal: AbortSignal,
  ): Promise<KafkaStamp> {
    const timestampMs = this.#dependencies.runtime.clock.nowMs()
    const counts = new Map<string, number>()
    for (const topic of topicsOf(this.#settings, batches, timestampMs)) {
      counts.set(topic, await unlessAborted(this.#cluster.partitionCount(topic), signal))
    }
    await this.#identify(signal)
    // Nothing may fail from here on: a sequence number that is assigned but not sent would be a
    // gap.
    const routes = route(this.#settings, batches, counts, this.#turn++, timestampMs)
    // A take of several events always fits into a request; only a single event may need splitting.
    const planned =
      events > 1 ? routes : splitSends(this.#settings, batches, routes, this.#maxBytes)
    if (planned.length > 1 && events === 1) {
      this.#limit.split(batches[0]!.bodyBytes(), planned.length, batches[0]!.headersOf(0))
    }
    const sends = this.#withSequences(planned, events)
    return {
      ...this.#producer.identity!,
      timestampMs,
      sends,
      nextSequences: this.#producer.snapshot(),
    }
  }

  /** Assigns sequence numbers to sends. `takeEvents`: number of events of the take. */
  #withSequences(planned: readonly PlannedSend[], takeEvents: number): StampedSend[] {
    return planned.map(({ topic, partition, events, piece }) => ({
      topic,
      partition,
      baseSequence: this.#producer.advance(topic, partition, events?.length ?? takeEvents),
      ...(events && { events }),
      ...(piece && { piece }),
    }))
  }

  /** Sends a stamped take; with `rest`, only those of its sends, because the others are stored. */
  #send(
    transaction: ChannelTransaction,
    batches: readonly EventBatch[],
    stamp: KafkaStamp,
    rest?: { readonly sends: readonly StampedSend[]; readonly isPartlyStored: boolean },
  ): void {
    let before: Promise<unknown> | undefined
    const sends = (rest?.sends ?? stamp.sends).map((send) => {
      const bytes = encodeSend(this.#settings, batches, stamp, send)
      const post = () => this.#sender.send(send.topic, send.partition, bytes)
      // The other parts of an event are sent after its first part is stored: a broker that does not
      // know the producer yet would accept them even if it refused the first.
      const sent = send.piece === undefined || before === undefined ? post() : before.then(post)
      before ??= sent
      return { stamp: send, sizeBytes: bytes.length, sent }
    })
    const sentMs = this.#dependencies.runtime.clock.monotonicMs()
    const isPartlyStored = rest?.isPartlyStored ?? false
    this.#inFlight.push(
      new InFlightTake(transaction, batches, stamp, sends, sentMs, isPartlyStored),
    )
  }

  /**
   * Whether another take may be sent. No take follows a split event, whose parts are sent in turn,
   * nor the first records of a producer in a partition, before they are stored: a broker that does
   * not know the producer yet would accept later records even if it refused the first.
   */
  get #hasRoom(): boolean {
    if (this.#inFlight.length > 0 && this.#producer.isFull) return false
    const isAlone = ({ piece, baseSequence }: StampedSend) => piece || baseSequence === 0
    if (this.#inFlight.some(({ stamp }) => stamp.sends.some(isAlone))) return false
    return this.#inFlight.length < this.#settings.maxTakesInFlight
  }

  /** Commits stored takes, oldest first, up to the first take that is not stored. */
  async #commitAnswered(): Promise<void> {
    while (this.#inFlight[0]?.isStored) {
      const take = this.#inFlight.shift()!
      await this.#commit(take)
      take.transaction.close()
      this.#failures = 0
      this.#log.delivered()
    }
  }

  async #commit({ transaction, events, sentMs }: InFlightTake): Promise<void> {
    const { runtime, counter, progress } = this.#dependencies
    const delayMs = transaction.oldestTakenMs()
    await transaction.commit()
    counter.EventDrainSuccessCount += events
    counter.KafkaEventSendTimer += Math.round(runtime.clock.monotonicMs() - sentMs)
    progress.deliveryDelay.observe(delayMs / 1000)
  }

  /** The refusal of the oldest refused take; later takes may be refused only because of its gap. */
  #firstRefusal(): Refusal | undefined {
    return this.#inFlight.find((take) => take.refusal !== undefined)?.refusal
  }

  /**
   * A send was refused. Waits for the responses to all others, then handles each take: it is sent
   * again with the same sequence numbers; or, if the broker does not know the producer or wants
   * smaller batches, rolled back and taken again with a new producer. A take with some events
   * stored is not rolled back: the new producer sends its other events.
   */
  async #recover(signal: AbortSignal): Promise<number> {
    await orAborted(Promise.all(this.#inFlight.map((take) => take.settled)), signal)
    if (signal.aborted) return 0
    const refusal = this.#firstRefusal()!
    const isSmallerWanted = isTooLarge(refusal.error)
    const isProducerNew = isSmallerWanted || isProducerDisowned(refusal.error)
    if (isSmallerWanted) this.#limit.refused(refusal)
    else this.#log.failed(refusal.error)
    for (const take of this.#inFlight.splice(0)) {
      const { transaction, batches, stamp, unstored, isPartlyStored } = take
      if (take.isStored) await this.#commit(take)
      else if (!isProducerNew) {
        this.#send(transaction, batches, stamp, { sends: unstored, isPartlyStored })
        continue
      } else if (isPartlyStored) {
        this.#partlyStored.push(take)
        continue
      } else await transaction.rollback()
      transaction.close()
    }
    if (isProducerNew) this.#producer.forget()
    return this.#countRollback()
  }

  /** Sends the events that are not stored yet of partly stored takes, with a new producer. */
  async #sendRests(signal: AbortSignal): Promise<void> {
    await this.#identify(signal)
    while (this.#partlyStored.length > 0 && this.#hasRoom) {
      const { transaction, batches, stamp, unstored } = this.#partlyStored.shift()!
      const events = batches.reduce((sum, { count }) => sum + count, 0)
      const planned = splitSends(this.#settings, batches, unstored, this.#maxBytes)
      const sends = this.#withSequences(planned, events)
      const fresh = { ...stamp, ...this.#producer.identity!, sends }
      this.#send(transaction, batches, fresh, { sends, isPartlyStored: true })
    }
  }

  /** Gets a producer id if there is none, or if the stamps of the current one are too large. */
  async #identify(signal: AbortSignal): Promise<void> {
    if (this.#producer.isFull) this.#producer.forget()
    if (this.#producer.identity !== undefined) return
    const asked = initProducerId(this.#cluster, requestTimeoutMs)
    this.#producer.renew(await unlessAborted(asked, signal))
  }

  #reportUnanswered(): void {
    const [oldest] = this.#inFlight
    const ageMs = this.#dependencies.runtime.clock.monotonicMs() - (oldest?.sentMs ?? Infinity)
    if (oldest === undefined || ageMs < answerTimeoutMs) return
    this.#log.unanswered(oldest.place, Math.round(ageMs / 1000))
  }

  /** Counts a rollback; returns the time until the next attempt, in ms. */
  #countRollback(): number {
    this.#dependencies.counter.RollbackCount++
    return Math.min(firstBackoffMs * 2 ** this.#failures++, maxBackoffMs)
  }

  /** Waits for the responses to the oldest take or, if there is room, for events. */
  async #waitForNews(hasRoom: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#dependencies.runtime
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

/** Fails with CLIENT_CLOSED once the signal aborts: a silent broker must not delay the stop. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const result = await orAborted(promise, signal)
  if (result === undefined) throw new ClientError('CLIENT_CLOSED', 'the sink is stopping')
  return result
}

function isDeliveryFailure(error: unknown): error is Error {
  return (
    error instanceof KafkaError || error instanceof NetworkError || error instanceof ClientError
  )
}

/** Whether the broker forgot the producer, fenced it, or lost records that it had acknowledged. */
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
