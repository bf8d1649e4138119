// Owns the cluster's metadata: appends a command to the log first, applies it to the state second,
// and makes or removes the partitions' logs third, so that a crash between any two is repaired at
// the next start. One mutation at a time; readers see the state at once.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { DynamicConfiguration } from '../dynamicConfiguration.ts'
import { type ConfigWish, decideAlterConfigs } from './configRequests.ts'
import type { MetadataLog } from './metadataLog.ts'
import { type MetadataCommand, MetadataState, type Topic } from './metadataState.ts'
import {
  type Decision,
  decideCreatePartitions,
  decideCreateTopic,
  type TopicWish,
} from './topicRequests.ts'

/** The partitions' logs, as far as the controller needs them. */
export interface PartitionLogs {
  /** Makes the logs of partitions `from` up to (not with) `until` where they are missing. */
  create(topic: Topic, from: number, until: number): Promise<void>
  /** Removes all logs of the topic; those that are missing already are no error. */
  remove(topic: Topic): Promise<void>
  /** The topic's configs have changed: its logs are kept by the new ones from now on. */
  reconfigure(topic: Topic): void
  /** Why no topic can be made under this name; undefined when one can. */
  obstacle(name: string): string | undefined
}

export interface ControllerOptions {
  readonly log: MetadataLog
  readonly logger: Logger
  /** Told what is set for brokers, when the log is replayed and whenever it changes. */
  readonly configuration: DynamicConfiguration
  /** A new random UUID, as text. */
  readonly newTopicId: () => string
  readonly newClusterId: () => string
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

export class Controller {
  readonly #options: ControllerOptions
  readonly #state: MetadataState
  #commandsSinceSnapshot: number
  #mutations: Promise<unknown> = Promise.resolve()
  #failure: Error | undefined
  #partitionLogs: PartitionLogs | undefined
  readonly #deletionListeners = new Set<(topic: Topic) => Promise<void>>()

  private constructor(options: ControllerOptions, state: MetadataState, commands: number) {
    this.#options = options
    this.#state = state
    this.#commandsSinceSnapshot = commands
  }

  /** Replays the log, and gives a new cluster its id. Nothing may be changed before `start`. */
  static async open(options: ControllerOptions): Promise<Controller> {
    const { snapshot, commands } = await options.log.load()
    const state = snapshot ? MetadataState.restore(snapshot) : new MetadataState()
    for (const command of commands) state.apply(command)
    const controller = new Controller(options, state, commands.length)
    controller.#configureBroker()
    if (state.clusterId === undefined) {
      await controller.#commit({ type: 'initialize', clusterId: options.newClusterId() })
    }
    return controller
  }

  /** Takes charge of the partitions' logs: finishes what a crash left half done. */
  async start(logs: PartitionLogs): Promise<void> {
    this.#partitionLogs = logs
    for (const topic of this.#state.deleting()) await this.#removeLogs(topic)
    for (const topic of this.#state.topics()) await logs.create(topic, 0, topic.partitions)
  }

  /** Read-only to everyone but this class. */
  get state(): MetadataState {
    return this.#state
  }

  get clusterId(): string {
    return this.#state.clusterId!
  }

  /** Called after a topic's deletion is durable and before its name is free again. */
  onTopicDeleted(listener: (topic: Topic) => Promise<void>): void {
    this.#deletionListeners.add(listener)
  }

  createTopic(wish: TopicWish, validateOnly = false): Promise<TopicOutcome> {
    return this.#mutate(async () => {
      const id = this.#options.newTopicId()
      const decision = decideCreateTopic(this.#state, wish, id, this.#options.configuration.current)
      if ('errorCode' in decision) return refused(decision)
      const { command } = decision
      const obstacle = this.#logs.obstacle(command.name)
      if (obstacle) return refused({ errorCode: ErrorCode.kafkaStorageError, message: obstacle })
      if (validateOnly) return done(command)
      await this.#commit(command)
      const topic = this.#state.topicById(id)!
      await this.#logs.create(topic, 0, topic.partitions)
      this.#options.logger.info(
        { topic: topic.name, id, partitions: topic.partitions },
        'topic created',
      )
      return done(topic)
    })
  }

  createPartitions(name: string, count: number, validateOnly: boolean): Promise<TopicOutcome> {
    return this.#mutate(async () => {
      const before = this.#state.topic(name)
      const decision = decideCreatePartitions(before, name, count)
      if ('errorCode' in decision) return refused(decision)
      if (!validateOnly) {
        await this.#commit(decision.command)
        const topic = this.#state.topicById(decision.command.id)!
        await this.#logs.create(topic, before!.partitions, topic.partitions)
      }
      return done(this.#state.topic(name))
    })
  }

  deleteTopic(topic: Topic): Promise<TopicOutcome> {
    return this.#mutate(async () => {
      if (!this.#state.topicById(topic.id)) {
        return refused({
          errorCode: ErrorCode.unknownTopicOrPartition,
          message: `there is no topic ${topic.name}`,
        })
      }
      await this.#commit({ type: 'deleteTopic', id: topic.id })
      await this.#removeLogs(topic)
      this.#options.logger.info({ topic: topic.name, id: topic.id }, 'topic deleted')
      return done(topic)
    })
  }

  /** Changes what is set for a topic, a broker or a group; it holds when this resolves. */
  alterConfigs(wish: ConfigWish, validateOnly: boolean): Promise<ConfigOutcome> {
    return this.#mutate(async () => {
      const decision = decideAlterConfigs(this.#state, wish, this.#options.configuration)
      if ('errorCode' in decision) return decision
      if (!validateOnly) {
        await this.#commit(decision.command)
        const { resource, configs } = decision.command
        if (resource.type === 'broker') this.#configureBroker()
        if (resource.type === 'topic') {
          this.#logs.reconfigure(this.#state.topicById(resource.name)!)
        }
        this.#options.logger.info({ resource, configs }, 'configs changed')
      }
      return { errorCode: ErrorCode.none, message: null }
    })
  }

  /** Takes `count` producer ids for good; the first of them. */
  reserveProducerIds(count: number): Promise<number> {
    return this.#mutate(async () => {
      const first = this.#state.nextProducerId
      await this.#commit({ type: 'reserveProducerIds', next: first + count })
      return first
    })
  }

  /** Waits for the mutation in hand, then closes the log. */
  close(): Promise<void> {
    return this.#mutate(() => this.#options.log.close())
  }

  get #logs(): PartitionLogs {
    assert(this.#partitionLogs, 'the controller has not been started')
    return this.#partitionLogs
  }

  #configureBroker(): void {
    const { configuration } = this.#options
    const ofBroker = this.#state.brokerConfigs(String(configuration.nodeId))
    configuration.set(ofBroker, this.#state.brokerConfigs(''))
  }

  async #removeLogs(topic: Topic): Promise<void> {
    for (const listener of this.#deletionListeners) await listener(topic)
    await this.#logs.remove(topic)
    await this.#commit({ type: 'forgetTopic', id: topic.id })
  }

  async #commit(command: MetadataCommand): Promise<void> {
    if (this.#failure) throw this.#failure
    try {
      await this.#options.log.append(command)
    } catch (error) {
      // Whether the command is in the log is unknown now: only a restart can tell, so that going on
      // could give the same id or name twice.
      this.#failure = error as Error
      throw error
    }
    this.#state.apply(command)
    this.#commandsSinceSnapshot++
    if (this.#commandsSinceSnapshot < commandsPerSnapshot) return
    await this.#options.log.compact(this.#state.snapshot())
    this.#commandsSinceSnapshot = 0
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

function refused(decision: Exclude<Decision<never>, { command: never }>): TopicOutcome {
  return { errorCode: decision.errorCode, message: decision.message, topic: undefined }
}

function done(topic: Topic | undefined): TopicOutcome {
  return { errorCode: ErrorCode.none, message: null, topic }
}
