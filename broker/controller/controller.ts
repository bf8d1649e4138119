// The controller of this node: turns requests into commands of the metadata log, and answers when
// they are committed and folded.
//
// Must never change the state itself, nor answer with success before the log has the command.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { ConfigTexts, DynamicConfiguration } from '../configuration/configuration.ts'
import { BrokerError } from '../errors.ts'
import { type ConfigRequest, decideAlterConfigs, reasonsWithoutEffect } from './configRequests.ts'
import { MetadataFold } from './metadata/metadataFold.ts'
import type { MetadataLog } from './metadata/metadataLog.ts'
import { newTopic } from './metadata/metadataState.ts'
import type { ConfigResource, MetadataView, Topic } from './metadata/metadataView.ts'
import { type Decided, Proposals } from './metadata/proposals.ts'
import {
  decideCreatePartitions,
  decideCreateTopic,
  type Refusal,
  refuse,
  type TopicRequest,
} from './topics/topicRequests.ts'
import { type PartitionLogs, TopicWork } from './topics/topicWork.ts'

export interface ControllerOptions {
  readonly log: MetadataLog
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Receives the configs that are set for brokers: once when the log is loaded, then with every
   * change.
   */
  readonly configuration: DynamicConfiguration
  /** A random UUID of this incarnation of the broker. */
  readonly incarnation: string
  /** Returns a new random UUID, as text. */
  readonly newTopicId: () => string
  readonly newClusterId: () => string
  /** Called once, when the log cannot be used any more and the broker should stop. */
  readonly onFailure: (cause: unknown) => void
  readonly rarePoints?: RarePoints | undefined
}

export interface TopicOutcome {
  readonly errorCode: number
  readonly message: string | null
  /** The topic as it is now, or would be if the request only asked for validation. */
  readonly topic: Topic | undefined
}

/** The outcome of a request to change configs. */
export interface ConfigOutcome {
  readonly errorCode: number
  readonly message: string | null
}

/** Interval between attempts to register this broker, while the log cannot be written. */
const registrationRetryMs = 1000

export class Controller {
  readonly #options: ControllerOptions
  readonly #fold: MetadataFold
  readonly #proposals: Proposals
  #partitionLogs: PartitionLogs | undefined
  #work: TopicWork | undefined
  #registrationTimer: Timer | undefined
  #isStopped = false
  readonly #removals = new Set<(topic: Topic) => Promise<void>>()

  private constructor(options: ControllerOptions, fold: MetadataFold) {
    const { log, clock, logger, incarnation, onFailure, rarePoints } = options
    this.#options = options
    this.#fold = fold
    fold.view.onChange((change) => {
      if (change.type === 'configs' && change.resource.type === 'broker') this.#configureBroker()
    })
    this.#configureBroker()
    const decided = { log, fold, clock, logger, incarnation, onFailure, rarePoints }
    this.#proposals = new Proposals(decided)
  }

  /**
   * Loads and folds the log, and gives a new cluster its id. No change may be requested before
   * `start`.
   */
  static async open(options: ControllerOptions): Promise<Controller> {
    const fold = new MetadataFold(await options.log.load(), options.configuration.nodeId)
    const controller = new Controller(options, fold)
    if (fold.view.clusterId === undefined) await controller.#initialize()
    return controller
  }

  /**
   * Registers this broker and manages the logs of its partitions: attempts pending work once, then
   * retries in the background.
   */
  async start(logs: PartitionLogs): Promise<void> {
    const { clock, logger } = this.#options
    this.#partitionLogs = logs
    const work = new TopicWork({
      ...{ clock, logger, logs, metadata: this.state, removals: this.#removals },
      forget: (topic) => this.#forgetTopic(topic),
    })
    this.#work = work
    await this.#register()
    for (const topic of this.state.deleting()) await work.attempt(topic.id)
    for (const topic of [...this.state.topics()]) await work.attempt(topic.id)
  }

  get state(): MetadataView {
    return this.#fold.view
  }

  /** Commands ever appended, and those of them that a start has to replay. */
  get metadataCommands(): { readonly appended: number; readonly sinceSnapshot: number } {
    const { nextSequence, entriesSinceSnapshot } = this.#fold
    return { appended: nextSequence, sinceSnapshot: entriesSinceSnapshot }
  }

  /** Changes of the metadata that are not answered yet. */
  get pendingProposals(): number {
    return this.#proposals.pending
  }

  get clusterId(): string {
    return this.state.clusterId!
  }

  /**
   * Registers `remove`, called after a topic's deletion is durable and before its name is free
   * again. When it throws, it is called again later, also after a restart.
   */
  onTopicDeleted(remove: (topic: Topic) => Promise<void>): void {
    this.#removals.add(remove)
  }

  /**
   * Resolves when the topic is durable; some of its logs may be created later, when the disk has
   * space.
   */
  async createTopic(request: TopicRequest, validateOnly = false): Promise<TopicOutcome> {
    const id = this.#options.newTopicId()
    const { configuration, logger } = this.#options
    const outcome = await this.#change<TopicOutcome>(refused, () => {
      const decision = decideCreateTopic(this.state, request, id, configuration.current)
      if ('errorCode' in decision) return { answer: refused(decision) }
      const { command } = decision
      const obstacle = this.#logs.obstacle(command.name)
      if (obstacle) {
        return { answer: refused({ errorCode: ErrorCode.kafkaStorageError, message: obstacle }) }
      }
      const topic = newTopic(command)
      if (validateOnly) return { answer: done(topic) }
      const committed = () => {
        const partitions = topic.partitions.length
        logger.info({ topic: topic.name, id, partitions }, 'topic created')
        this.#logWithoutEffect({ type: 'topic', name: id }, command.configs)
        return done(topic)
      }
      return { command, committed }
    })
    if (outcome.topic && !validateOnly) await this.#work?.attempted(id)
    return outcome
  }

  async createPartitions(
    name: string,
    count: number,
    validateOnly: boolean,
  ): Promise<TopicOutcome> {
    const { nodeId } = this.#options.configuration
    const outcome = await this.#change<TopicOutcome>(refused, () => {
      const topic = this.state.topic(name)
      const decision = decideCreatePartitions(topic, name, count, nodeId)
      if ('errorCode' in decision) return { answer: refused(decision) }
      if (validateOnly) return { answer: done(topic) }
      const { command } = decision
      return { command, committed: () => done(this.state.topicById(command.id) ?? topic) }
    })
    if (outcome.topic && !validateOnly) await this.#work?.attempted(outcome.topic.id)
    return outcome
  }

  /** Resolves when the topic is invisible to clients and its removal was attempted once. */
  async deleteTopic(topic: Topic): Promise<TopicOutcome> {
    const outcome = await this.#change<TopicOutcome>(refused, () => {
      if (!this.state.topicById(topic.id)) {
        const message = `topic ${topic.name} does not exist`
        return { answer: refused({ errorCode: ErrorCode.unknownTopicOrPartition, message }) }
      }
      return { command: { type: 'deleteTopic', id: topic.id }, committed: () => done(topic) }
    })
    if (outcome.topic) await this.#work?.attempted(topic.id)
    return outcome
  }

  /**
   * Changes the configs of a topic, a broker or a group; they have taken effect when this resolves.
   */
  alterConfigs(request: ConfigRequest, validateOnly: boolean): Promise<ConfigOutcome> {
    const { configuration, logger } = this.#options
    const altered = { errorCode: ErrorCode.none, message: null }
    return this.#change<ConfigOutcome>(
      (refusal) => refusal,
      () => {
        const decision = decideAlterConfigs(this.state, request, configuration)
        if ('errorCode' in decision) return { answer: decision }
        if (validateOnly) return { answer: altered }
        const { command } = decision
        const committed = () => {
          const { resource, configs } = command
          logger.info({ resource, configs }, 'configs changed')
          this.#logWithoutEffect(resource, configs)
          return altered
        }
        return { command, committed }
      },
    )
  }

  /**
   * Returns the first of `count` producer ids, which are never given out again. Rejects with a
   * BrokerError if none can be reserved now.
   */
  reserveProducerIds(count: number): Promise<number> {
    return this.#proposals.propose(() => {
      const first = this.state.nextProducerId
      return {
        command: { type: 'reserveProducerIds', next: first + count },
        committed: () => first,
      }
    })
  }

  /** Stops background work; the next start continues it. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#registrationTimer?.cancel()
    await this.#work?.stop()
  }

  /** Waits for pending changes, then closes the log. */
  async close(): Promise<void> {
    await this.stop()
    await this.#proposals.close()
  }

  get #logs(): PartitionLogs {
    assert(this.#partitionLogs, 'the controller has been started')
    return this.#partitionLogs
  }

  #initialize(): Promise<void> {
    const { newClusterId } = this.#options
    return this.#proposals.propose(() => {
      if (this.state.clusterId !== undefined) return { answer: undefined }
      const command = { type: 'initialize', clusterId: newClusterId() } as const
      return { command, committed: () => undefined }
    })
  }

  /**
   * A broker on a full disk serves nevertheless, so a registration that cannot be written is
   * retried.
   */
  async #register(): Promise<void> {
    const { incarnation, configuration, clock, logger } = this.#options
    const id = configuration.nodeId
    try {
      await this.#proposals.propose<void>(() => {
        if (this.state.broker(id)?.incarnation === incarnation) return { answer: undefined }
        return { command: { type: 'registerBroker', id, incarnation }, committed: () => undefined }
      })
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      logger.warn({ error }, 'failed to register this incarnation of the broker; retrying')
      if (this.#isStopped) return
      const retry = () => void this.#register()
      this.#registrationTimer = clock.setTimer(registrationRetryMs, retry)
    }
  }

  #forgetTopic({ id }: Topic): Promise<void> {
    return this.#proposals.propose<void>(() => {
      if (!this.state.deletingById(id)) return { answer: undefined }
      return { command: { type: 'forgetTopic', id }, committed: () => undefined }
    })
  }

  #configureBroker(): void {
    const { configuration } = this.#options
    const ofBroker = this.state.brokerConfigs(String(configuration.nodeId))
    configuration.set(ofBroker, this.state.brokerConfigs(''))
  }

  #logWithoutEffect(resource: ConfigResource, set: ConfigTexts): void {
    const configs = reasonsWithoutEffect(resource.type, set)
    if (Object.keys(configs).length === 0) return
    this.#options.logger.info({ resource, configs }, 'Kafka configs have no effect in Millrace')
  }

  /**
   * Proposes a change for a client; a change that the log does not accept is answered as a refusal.
   */
  async #change<Outcome>(
    refusedWith: (refusal: Refusal) => Outcome,
    decide: () => Decided<Outcome>,
  ): Promise<Outcome> {
    try {
      return await this.#proposals.propose(decide)
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      this.#options.logger.error({ error }, 'failed to write a metadata change')
      return refusedWith(refuse(ErrorCode.kafkaStorageError, error.message))
    }
  }
}

function refused({ errorCode, message }: Refusal): TopicOutcome {
  return { errorCode, message, topic: undefined }
}

function done(topic: Topic | undefined): TopicOutcome {
  return { errorCode: ErrorCode.none, message: null, topic }
}
