// The log lines of a Kafka sink that cannot deliver: one when the problem starts, one when its cause
// changes, one when it ends, regardless of the number of retries.

import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import { NetworkError } from '../../../protocol/runtime/network.ts'
import { LastingCondition } from '../../../protocol/telemetry/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { AgentReason } from '../../agentReasons.ts'
import type { Channel } from '../../channels/channel.ts'

export class DeliveryLog {
  readonly #channel: Pick<Channel, 'name' | 'size'>
  readonly #fails: LastingCondition
  #reason = ''

  constructor(logger: Logger, clock: Clock, channel: Pick<Channel, 'name' | 'size'>) {
    this.#channel = channel
    this.#fails = new LastingCondition({ logger, clock, over: 'events are delivered again' })
  }

  /** Why events cannot be delivered; undefined while they can. */
  get trouble(): AgentReason | undefined {
    const { sinceMs } = this.#fails
    if (sinceMs === undefined) return undefined
    const { name, size } = this.#channel
    const waiting = `${size} events wait in channel ${name}`
    const message = `events cannot be delivered: ${this.#reason}; ${waiting}`
    return { code: 'SINK_FAILING', message, sinceMs }
  }

  failed(error: Error): void {
    const advice = adviceFor(error)
    this.#met(causeOf(error), `${error.message}${advice === undefined ? '' : `: ${advice}`}`)
  }

  /** A batch was sent and is not answered, although a broker is reachable. */
  unanswered(place: string, seconds: number): void {
    if (this.#fails.holds && this.#fails.cause !== 'unanswered') return
    this.#met(
      'unanswered',
      `a batch for ${place} has had no answer for ${seconds} s: look at the leader of that partition`,
    )
  }

  /** A broker is reachable. */
  connected(): void {
    if (this.#fails.cause === unreachable) this.#over('the cluster can be reached again')
  }

  delivered(): void {
    this.#over('events are delivered again')
  }

  #met(cause: string, reason: string): void {
    this.#reason = reason
    const { name, size } = this.#channel
    this.#fails.met(
      { channel: name, events: size },
      `events cannot be delivered: ${reason}; those of channel ${name} wait, ${size} now; retried until it works`,
      cause,
    )
  }

  #over(message: string): void {
    this.#fails.over({ channel: this.#channel.name }, message)
  }
}

const unreachable = 'unreachable'

/** Messages name addresses and times, which vary with each try: causes do not. */
function causeOf(error: Error): string {
  if (error instanceof NetworkError) return unreachable
  if (error instanceof KafkaError) return `${error.errorCode} ${error.message}`
  return error.message
}

/** Remedies for broker errors that an operator can fix. */
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
