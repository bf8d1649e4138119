// What a Kafka sink says while its events do not get through: one line when the trouble starts, one
// when its cause changes, one when it is over, however often it tries meanwhile.

import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import { NetworkError } from '../../../protocol/runtime/network.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { Channel } from '../../channels/channel.ts'

export class DeliveryLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #channel: Pick<Channel, 'name' | 'size'>
  /** What is wrong now; failures with the same cause are one trouble. */
  #cause: string | undefined
  #sinceMs = 0

  constructor(logger: Logger, clock: Clock, channel: Pick<Channel, 'name' | 'size'>) {
    this.#logger = logger
    this.#clock = clock
    this.#channel = channel
  }

  failed(error: Error): void {
    const advice = adviceFor(error)
    this.#trouble(causeOf(error), `${error.message}${advice === undefined ? '' : `: ${advice}`}`)
  }

  /** A batch was sent and is not answered, though some broker can be reached. */
  unanswered(place: string, seconds: number): void {
    if (this.#cause !== undefined) return
    this.#trouble(
      'unanswered',
      `a batch for ${place} has had no answer for ${seconds} s: look at the leader of that partition`,
    )
  }

  /** Some broker can be reached. */
  connected(): void {
    if (this.#cause === unreachable) this.#over('the cluster can be reached again')
  }

  delivered(): void {
    if (this.#cause !== undefined) this.#over('events are delivered again')
  }

  #trouble(cause: string, reason: string): void {
    if (this.#cause === cause) return
    if (this.#cause === undefined) this.#sinceMs = this.#clock.monotonicMs()
    this.#cause = cause
    const { name, size } = this.#channel
    this.#logger.warn(
      { channel: name, events: size },
      `events cannot be delivered: ${reason}; those of channel ${name} wait, ${size} now; retried until it works`,
    )
  }

  #over(message: string): void {
    this.#cause = undefined
    const afterMs = Math.round(this.#clock.monotonicMs() - this.#sinceMs)
    this.#logger.info({ channel: this.#channel.name, afterMs }, message)
  }
}

const unreachable = 'unreachable'

/** Messages name addresses and times, which vary with each try: causes do not. */
function causeOf(error: Error): string {
  if (error instanceof NetworkError) return unreachable
  if (error instanceof KafkaError) return `${error.errorCode} ${error.message}`
  return error.message
}

/** What to do about what a broker answers, where something can be done. */
function adviceFor(error: Error): string | undefined {
  if (!(error instanceof KafkaError)) return undefined
  return advice.get(error.errorCode)
}

const authorization =
  'the broker lets this client do less than it needs; the sink does not authenticate, so allow ANONYMOUS, or use another listener'

const advice: ReadonlyMap<number, string> = new Map([
  [
    ErrorCode.invalidTopicException,
    "the topic has no valid name: look at kafka.topic, and at the events' topic header; a name has at most 249 letters, digits, '.', '_' and '-'",
  ],
  [
    ErrorCode.unknownTopicOrPartition,
    'the topic does not exist: create it, or let the broker create it (auto.create.topics.enable)',
  ],
  [ErrorCode.topicAuthorizationFailed, authorization],
  [ErrorCode.clusterAuthorizationFailed, authorization],
  [
    ErrorCode.notEnoughReplicas,
    'the partition has fewer replicas in sync than min.insync.replicas: look at its brokers',
  ],
  [ErrorCode.kafkaStorageError, "the broker cannot write: look at its log and at its disks' space"],
  [ErrorCode.policyViolation, "the broker's policy refuses what is sent: look at the broker's log"],
])
