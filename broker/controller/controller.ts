// Owns the cluster's metadata: decides what a request proposes, appends it to the log, folds it into the state,
// and has it acted on (topicWork.ts) until it is done. One proposal at a time; readers see the state at once.
//
// A failed append has an unknown outcome. Nothing more is proposed before the log's tail has been read, which
// says what became of it; giving the same name or id twice would be the price. Changes must never stay disabled
// until a restart: while the log cannot be read, each proposal is refused, and when it cannot be read any more,
// the broker has to end.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { ConfigTexts, DynamicConfiguration } from '../configuration/configuration.ts'
import { BrokerError } from '../errors.ts'
import { isDiskFailure, isPassing } from '../log/logError.ts'
import { type ConfigWish, decideAlterConfigs, reasonsWithoutEffect } from './configRequests.ts'
import type { MetadataHistory, MetadataLog } from './metadataLog.ts'
import {
  type ConfigResource,
  type MetadataCommand,
  MetadataState,
  type Topic,
} from './metadataState.ts'
import {
  decideCreatePartitions,
  decideCreateTopic,
  type Refusal,
  refuse,
  type TopicWish,
} from './topicRequests.ts'
import { type PartitionLogs, TopicWork } from './topicWork.ts'

export type { PartitionLogs } from './topicWork.ts'

export interface ControllerOptions {
  readonly log: MetadataLog
  readonly clock: Clock
  readonly logger: Logger
  /** Told what is set for brokers, when the log is replayed and whenever it changes. */
  readonly configuration: DynamicConfiguration
  /** A new random UUID, as text. */
  readonly newTopicId: () => string
  readonly newClusterId: () => string
  /** Called once, when the log cannot be used any more and the broker should end. */
  readonly failed: (cause: unknown) => void
}

export interface TopicOutcome {
  readonly errorCode: number
  readonly message: string | null
  /** The topic as it is now, or would be if the request only asked for validation. */
  readonly topic: Topic | undefined
}

/** What became of a wish to change configs. */
export interface ConfigOutcome {
  readonly errorCode: number
  readonly message: string | null
}

/** After so many commands the log is replaced by a snapshot. */
const commandsPerSnapshot = 1000
/** After a snapshot could not be written, so many commands later it is tried again. */
const commandsUntilRetry = 100
/** How often it is tried to find out what became of a failed append. */
const settleIntervalMs = 1000

export class Controller {
  readonly #options: ControllerOptions
  readonly #state: MetadataState
  #nextSequence: number
  #commandsSinceSnapshot: number
  #mutations: Promise<unknown> = Promise.resolve()
  /** An append has failed, and it is not known whether its command is in the log. */
  #isUncertain = false
  #settleTimer: Timer | undefined
  #failure: unknown
  #partitionLogs: PartitionLogs | undefined
  #work: TopicWork | undefined
  readonly #removals = new Set<(topic: Topic) => Promise<void>>()

  private constructor(options: ControllerOptions, state: MetadataState, history: MetadataHistory) {
    this.#options = options
    this.#state = state
    this.#nextSequence = history.nextSequence
    this.#commandsSinceSnapshot = history.commands.length
  }

  /** Replays the log, and gives a new cluster its id. Nothing may be changed before `start`. */
  static async open(options: ControllerOptions): Promise<Controller> {
    const history = await options.log.load()
    const { snapshot, commands } = history
    const state = snapshot ? MetadataState.restore(snapshot) : new MetadataState()
    for (const command of commands) state.apply(command)
    const controller = new Controller(options, state, history)
    controller.#configureBroker()
    if (state.clusterId === undefined) {
      await controller.#commit({ type: 'initialize', clusterId: options.newClusterId() })
    }
    return controller
  }

  /** Takes charge of the partitions' logs: does once, and then in the background, what is left to do. */
  async start(logs: PartitionLogs): Promise<void> {
    const { clock, logger } = this.#options
    this.#partitionLogs = logs
    this.#work = new TopicWork({
      ...{ clock, logger, logs, state: this.#state, removals: this.#removals },
      forget: ({ id }) => this.#mutate(() => this.#commit({ type: 'forgetTopic', id })),
    })
    for (const topic of this.#state.deleting()) await this.#work.attempt(topic.id)
    for (const topic of [...this.#state.topics()]) await this.#work.attempt(topic.id)
  }

  /** Read-only to everyone but this class. */
  get state(): MetadataState {
    return this.#state
  }

  /** Commands ever appended, and those of them that a start has to replay. */
  get metadataCommands(): { readonly appended: number; readonly sinceSnapshot: number } {
    return { appended: this.#nextSequence, sinceSnapshot: this.#commandsSinceSnapshot }
  }

  get clusterId(): string {
    return this.#state.clusterId!
  }

  /**
   * Called after a topic's deletion is durable and before its name is free again. When it throws, it is called
   * again later, also after a restart.
   */
  onTopicDeleted(remove: (topic: Topic) => Promise<void>): void {
    this.#removals.add(remove)
  }

  /** Answers when the topic is durable, though some of its logs may have to wait for room. */
  async createTopic(wish: TopicWish, validateOnly = false): Promise<TopicOutcome> {
    const id = this.#options.newTopicId()
    const outcome = await this.#change<TopicOutcome>(refused, async () => {
      const decision = decideCreateTopic(this.#state, wish, id, this.#options.configuration.current)
      if ('errorCode' in decision) return refused(decision)
      const { command } = decision
      const obstacle = this.#logs.obstacle(command.name)
      if (obstacle) return refused({ errorCode: ErrorCode.kafkaStorageError, message: obstacle })
      if (validateOnly) return done(command)
      await this.#commit(command)
      const topic = this.#state.topicById(id)!
      const { name, partitions } = topic
      this.#options.logger.info({ topic: name, id, partitions }, 'topic created')
      this.#tellWithoutEffect({ type: 'topic', name: id }, command.configs)
      return done(topic)
    })
    if (outcome.topic && !validateOnly) await this.#act(id)
    return outcome
  }

  async createPartitions(
    name: string,
    count: number,
    validateOnly: boolean,
  ): Promise<TopicOutcome> {
    const outcome = await this.#change<TopicOutcome>(refused, async () => {
      const decision = decideCreatePartitions(this.#state.topic(name), name, count)
      if ('errorCode' in decision) return refused(decision)
      if (!validateOnly) await this.#commit(decision.command)
      return done(this.#state.topic(name))
    })
    if (outcome.topic && !validateOnly) await this.#act(outcome.topic.id)
    return outcome
  }

  /** Answers when nobody sees the topic any more, and its removal has been tried once. */
  async deleteTopic(topic: Topic): Promise<TopicOutcome> {
    const outcome = await this.#change<TopicOutcome>(refused, async () => {
      if (!this.#state.topicById(topic.id)) {
        return refused({
          errorCode: ErrorCode.unknownTopicOrPartition,
          message: `there is no topic ${topic.name}`,
        })
      }
      await this.#commit({ type: 'deleteTopic', id: topic.id })
      return done(topic)
    })
    if (outcome.topic) await this.#act(topic.id)
    return outcome
  }

  /** Changes what is set for a topic, a broker or a group; it holds when this resolves. */
  alterConfigs(wish: ConfigWish, validateOnly: boolean): Promise<ConfigOutcome> {
    return this.#change<ConfigOutcome>(
      (refusal) => refusal,
      async () => {
        const decision = decideAlterConfigs(this.#state, wish, this.#options.configuration)
        if ('errorCode' in decision) return decision
        if (!validateOnly) {
          await this.#commit(decision.command)
          const { resource, configs } = decision.command
          this.#options.logger.info({ resource, configs }, 'configs changed')
          this.#tellWithoutEffect(resource, configs)
        }
        return { errorCode: ErrorCode.none, message: null }
      },
    )
  }

  #tellWithoutEffect(resource: ConfigResource, set: ConfigTexts): void {
    const configs = reasonsWithoutEffect(resource.type, set)
    if (Object.keys(configs).length === 0) return
    this.#options.logger.info({ resource, configs }, 'configs of Kafka have no effect here')
  }

  /**
   * Returns the first of `count` producer ids, which are never given out again. Throws a BrokerError when none
   * can be reserved now.
   */
  reserveProducerIds(count: number): Promise<number> {
    return this.#mutate(async () => {
      await this.#settle()
      const first = this.#state.nextProducerId
      await this.#commit({ type: 'reserveProducerIds', next: first + count })
      return first
    })
  }

  /** Ends the work in the background: what is left of it is done after the next start. */
  async stop(): Promise<void> {
    await this.#work?.stop()
  }

  /** Waits for what is under way, then closes the log. */
  async close(): Promise<void> {
    await this.stop()
    await this.#mutate(async () => {
      this.#settleTimer?.cancel()
      await this.#options.log.close()
    })
  }

  get #logs(): PartitionLogs {
    assert(this.#partitionLogs, 'the controller has not been started')
    return this.#partitionLogs
  }

  async #act(topicId: string): Promise<void> {
    await this.#work?.attempt(topicId)
  }

  #configureBroker(): void {
    const { configuration } = this.#options
    const ofBroker = this.#state.brokerConfigs(String(configuration.nodeId))
    configuration.set(ofBroker, this.#state.brokerConfigs(''))
  }

  /** Decides and commits; what the log refuses becomes an outcome like any other. */
  #change<Outcome>(
    refusedWith: (refusal: Refusal) => Outcome,
    change: () => Promise<Outcome>,
  ): Promise<Outcome> {
    return this.#mutate(async () => {
      try {
        // Decided upon what is not known yet, it could be decided wrongly.
        await this.#settle()
        return await change()
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error
        this.#options.logger.error({ error }, 'a change of metadata was refused')
        return refusedWith(refuse(ErrorCode.kafkaStorageError, error.message))
      }
    })
  }

  /** Resolves when the command is in the log and in the state. Throws a BrokerError when it may not be. */
  async #commit(command: MetadataCommand): Promise<void> {
    await this.#settle()
    const sequence = this.#nextSequence
    let refusal = await this.#append(sequence, command)
    // The first failure has been cleared away, and may have made room.
    if (this.#nextSequence === sequence) refusal = await this.#append(sequence, command)
    if (this.#nextSequence === sequence) throw unavailable(refusal)
    await this.#compactIfLong()
  }

  /** Returns why it has failed. Whether the command is in the log all the same, the state says. */
  async #append(sequence: number, command: MetadataCommand): Promise<unknown> {
    try {
      await this.#options.log.append(sequence, command)
    } catch (cause) {
      this.#isUncertain = true
      if (isDiskFailure(cause)) this.#fail(cause)
      await this.#settle()
      return cause
    }
    this.#fold(command)
    return undefined
  }

  /** Finds out what became of a failed append, if one has. Throws a BrokerError as long as it cannot. */
  async #settle(): Promise<void> {
    if (this.#failure !== undefined) throw unavailable(this.#failure)
    if (!this.#isUncertain) return
    let tail: readonly MetadataCommand[]
    try {
      tail = await this.#options.log.read(this.#nextSequence)
    } catch (cause) {
      if (isPassing(cause)) this.#settleLater()
      else this.#fail(cause)
      throw unavailable(cause)
    }
    this.#isUncertain = false
    for (const command of tail) {
      this.#fold(command)
      if ('id' in command) void this.#act(command.id)
    }
  }

  #settleLater(): void {
    if (this.#settleTimer) return
    this.#settleTimer = this.#options.clock.setTimer(settleIntervalMs, () => {
      this.#settleTimer = undefined
      // Still unknown: it has set the timer again, or the broker ends.
      void this.#mutate(() => this.#settle()).catch(() => {})
    })
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = cause
    this.#options.failed(cause)
  }

  #fold(command: MetadataCommand): void {
    this.#nextSequence++
    this.#commandsSinceSnapshot++
    this.#state.apply(command)
    if (command.type !== 'setConfigs') return
    const { type, name } = command.resource
    if (type === 'broker') this.#configureBroker()
    if (type === 'topic') this.#logs.reconfigure(this.#state.topicById(name)!)
  }

  /** The commands are durable without it: a snapshot that cannot be written is written later. */
  async #compactIfLong(): Promise<void> {
    if (this.#commandsSinceSnapshot < commandsPerSnapshot) return
    try {
      await this.#options.log.compact(this.#nextSequence, this.#state.snapshot())
      this.#commandsSinceSnapshot = 0
    } catch (error) {
      this.#isUncertain = true
      if (isDiskFailure(error)) this.#fail(error)
      this.#commandsSinceSnapshot = commandsPerSnapshot - commandsUntilRetry
      this.#options.logger.error({ error }, 'the metadata snapshot could not be written; retrying')
    }
  }

  /** One after another: a failed one must not stop those behind it. */
  #mutate<T>(mutation: () => Promise<T>): Promise<T> {
    const result = this.#mutations.then(mutation)
    this.#mutations = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
}

function unavailable(cause: unknown): BrokerError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new BrokerError(
    'METADATA_UNAVAILABLE',
    `the metadata log cannot be written (${reason}): the change may not have been made; try again when there ` +
      'is room on the disk, and files can be opened',
    cause,
  )
}

function refused({ errorCode, message }: Refusal): TopicOutcome {
  return { errorCode, message, topic: undefined }
}

function done(topic: Topic | undefined): TopicOutcome {
  return { errorCode: ErrorCode.none, message: null, topic }
}
