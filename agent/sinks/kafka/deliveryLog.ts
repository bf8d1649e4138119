// The log lines of a Kafka sink that cannot deliver: one when the problem begins, one when its
// cause changes, and one when it ends, whatever the number of retries.

import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { NetworkError } from '../../../protocol/runtime/network/network.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
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

  /** Why events cannot be delivered; undefined while they are. */
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

  /** A batch has had no response for long, although a broker is reachable. */
  unanswered(place: string, seconds: number): void {
    if (this.#fails.holds && this.#fails.cause !== 'unanswered') return
    this.#met(
      'unanswered',
      `no response to a batch for ${place} for ${seconds} s: check the leader of the partition`,
    )
  }

  /** A broker is reachable. */
  connected(): void {
    if (this.#fails.cause === unreachable) this.#over('the cluster is reachable again')
  }

  delivered(): void {
    this.#over('events are delivered again')
  }

  #met(cause: string, reason: string): void {
    this.#reason = reason
    const { name, size } = this.#channel
    this.#fails.met(
      { channel: name, events: size },
      `events cannot be delivered: ${reason}; ${size} events wait in channel ${name}; retried until they are delivered`,
      cause,
    )
  }

  #over(message: string): void {
    this.#fails.over({ channel: this.#channel.name }, message)
  }
}

const unreachable = 'unreachable'

/** The cause without addresses and times, which differ in the messages of each retry. */
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
  'the broker denies access; the sink does not authenticate, so grant access to ANONYMOUS or use another listener'

const advice: ReadonlyMap<number, string> = new Map([
  [
    ErrorCode.invalidTopicException,
    "the topic name is not valid: check kafka.topic and the topic header of the events; a name has at most 249 letters, digits, '.', '_' and '-'",
  ],
  [
    ErrorCode.unknownTopicOrPartition,
    'the topic does not exist: create it, or set auto.create.topics.enable on the broker',
  ],
  [ErrorCode.topicAuthorizationFailed, authorization],
  [ErrorCode.clusterAuthorizationFailed, authorization],
  [
    ErrorCode.notEnoughReplicas,
    'the partition has fewer in-sync replicas than min.insync.replicas: check its brokers',
  ],
  [
    ErrorCode.kafkaStorageError,
    'the broker cannot write: check its log and the free space of its disks',
  ],
  [
    ErrorCode.policyViolation,
    'a policy of the broker refuses the request: check the log of the broker',
  ],
])
