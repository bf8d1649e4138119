// Flume's Kafka sink, which delivers each event of a durable channel exactly once: what is about to be
// sent, and under which producer sequence, is noted in the channel first (prepare). After a crash the
// channel hands out the same events with the same note, and the broker drops the batches that it has.
//
// At most five takes are in flight, because a broker remembers the last five batches of a producer: it
// does not recognize older ones (KIP-98).

import { BatchSender } from '../../../protocol/client/batchSender.ts'
import { ClientError } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster.ts'
import { initProducerId } from '../../../protocol/client/initProducerId.ts'
import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { sleep } from '../../../protocol/runtime/clock.ts'
import { NetworkError } from '../../../protocol/runtime/network.ts'
import type { Runtime } from '../../../protocol/runtime/runtime.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
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

/** Timeout of asking for a producer id, which is retried. */
const requestTimeoutMs = 5000
/** While stopping, time for pending sends to be answered. */
const stopTimeoutMs = 2000
const firstBackoffMs = 100
const maxBackoffMs = 5000
/** Time after which an unanswered batch is logged. */
const answerTimeoutMs = 30_000
/** Interval between checks for a full batch while events linger. */
const lingerCheckMs = 10
/** Bytes of a request beside its records. */
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
  /** Prepared and sent, oldest first. */
  #inFlight: InFlightTake[] = []
  /** Takes of which some events are stored, and whose other events a new producer has to send. */
  #partlyStored: InFlightTake[] = []
  #hasResumed = false
  #failures = 0
  /** Chooses partitions in turn. */
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

  /** Sends again the takes that an earlier run left prepared. */
  async #resume(): Promise<void> {
    for (const { transaction, batches, stamp } of await this.#channel.resumePrepared(this.#name)) {
      this.#send(transaction, batches, decodeStamp(stamp))
    }
    this.#hasResumed = true
  }

  /** Lets events linger for a fuller batch, as long as the configuration allows. */
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

  /** Takes events, prepares their sends, and sends them; false when there are none. */
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

  /** Of the records of one request. */
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
    // Nothing may fail from here on: a sequence that is given and not sent would be a gap.
    const routes = route(this.#settings, batches, counts, this.#turn++, timestampMs)
    // A take has several events only when they fit into a request.
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

  /** `takeEvents`: how many events the take has. */
  #withSequences(planned: readonly PlannedSend[], takeEvents: number): StampedSend[] {
    return planned.map(({ topic, partition, events, piece }) => ({
      topic,
      partition,
      baseSequence: this.#producer.advance(topic, partition, events?.length ?? takeEvents),
      ...(events && { events }),
      ...(piece && { piece }),
    }))
  }

  /** Sends what the stamp says; with `rest`, only those sends of it, because others are stored. */
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
      // The other parts of an event follow when its first one is stored: a broker that knows nothing of
      // the producer yet would take them though it has refused the first.
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

  /** Whether another take may be sent: the parts of an event go alone, for their sequences' sake. */
  get #hasRoom(): boolean {
    if (this.#inFlight.length > 0 && this.#producer.isFull) return false
    if (this.#inFlight.some(({ stamp }) => stamp.sends.some(({ piece }) => piece))) return false
    return this.#inFlight.length < this.#settings.maxTakesInFlight
  }

  /** Commits the takes that are stored, oldest first, up to the first that is not answered yet. */
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

  /** Of the oldest take that has one: later ones may be refused for no more than the gap it left. */
  #firstRefusal(): Refusal | undefined {
    return this.#inFlight.find((take) => take.refusal !== undefined)?.refusal
  }

  /**
   * A send was refused. Waits for the answers to the others and decides what becomes of each take: it
   * is sent again under the same sequences; or, when the broker does not know the producer, or wants
   * smaller batches, taken again under a new producer, unless some of its events are stored.
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

  /** What is not stored yet of takes of which a part is, under a new producer. */
  async #sendRests(signal: AbortSignal): Promise<void> {
    await this.#identify(signal)
    for (const { transaction, batches, stamp, unstored } of this.#partlyStored.splice(0)) {
      const events = batches.reduce((sum, { count }) => sum + count, 0)
      const planned = splitSends(this.#settings, batches, unstored, this.#maxBytes)
      const sends = this.#withSequences(planned, events)
      const fresh = { ...stamp, ...this.#producer.identity!, sends }
      this.#send(transaction, batches, fresh, { sends, isPartlyStored: true })
    }
  }

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

  /** Returns the time until the next attempt, in ms. */
  #countRollback(): number {
    this.#dependencies.counter.RollbackCount++
    return Math.min(firstBackoffMs * 2 ** this.#failures++, maxBackoffMs)
  }

  /** Until the oldest send is answered, or events come for which there is room. */
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

/** A broker that does not answer must not delay the stop. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const result = await orAborted(promise, signal)
  if (result === undefined) throw new ClientError('CLIENT_CLOSED', 'the sink was stopped')
  return result
}

function isDeliveryFailure(error: unknown): error is Error {
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
