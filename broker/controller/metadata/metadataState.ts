// The metadata of the cluster: brokers, topics, configs, allocated producer ids. A pure fold of the
// commands of the metadata log: the same commands give the same state on every node and after every
// restart. Decides nothing (controller.ts and topics/topicRequests.ts do) and does no I/O. Only
// MetadataFold calls `apply`; all others use MetadataView.
//
// A command that contradicts the state was decided on another state than the one that it was
// appended to. This is a broken invariant, and ends the process.

import { assert, unreachable } from '../../../protocol/runtime/assert.ts'
import { changedRegistration, newRegistration } from '../partitionRegistration.ts'
import { collisionKey } from '../topics/topicName.ts'
import type { CommandOf, MetadataCommand } from './metadataCommand.ts'
import type {
  BrokerRegistration,
  ConfigResource,
  Configs,
  MetadataChange,
  MetadataListener,
  MetadataSnapshot,
  MetadataView,
  Topic,
} from './metadataView.ts'

export class MetadataState implements MetadataView {
  #clusterId: string | undefined
  #nextProducerId = 0
  #topicsVersion = 0
  readonly #brokers = new Map<number, BrokerRegistration>()
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()
  readonly #nameByCollisionKey = new Map<string, string>()
  readonly #deleting = new Map<string, Topic>()
  readonly #brokerConfigs = new Map<string, Configs>()
  readonly #groupConfigs = new Map<string, Configs>()
  readonly #listeners = new Set<MetadataListener>()

  static restore(snapshot: MetadataSnapshot): MetadataState {
    const state = new MetadataState()
    state.#clusterId = snapshot.clusterId
    state.#nextProducerId = snapshot.nextProducerId
    for (const broker of snapshot.brokers) state.#brokers.set(broker.id, broker)
    for (const topic of snapshot.topics) state.#put(topic)
    for (const topic of snapshot.deleting) state.#deleting.set(topic.id, topic)
    for (const [name, configs] of Object.entries(snapshot.brokerConfigs)) {
      state.#brokerConfigs.set(name, configs)
    }
    for (const [name, configs] of Object.entries(snapshot.groupConfigs)) {
      state.#groupConfigs.set(name, configs)
    }
    return state
  }

  get clusterId(): string | undefined {
    return this.#clusterId
  }

  get nextProducerId(): number {
    return this.#nextProducerId
  }

  get topicsVersion(): number {
    return this.#topicsVersion
  }

  topic(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  topicById(id: string): Topic | undefined {
    return this.#byId.get(id)
  }

  topics(): Iterable<Topic> {
    return this.#byName.values()
  }

  broker(id: number): BrokerRegistration | undefined {
    return this.#brokers.get(id)
  }

  brokers(): Iterable<BrokerRegistration> {
    return this.#brokers.values()
  }

  brokerConfigs(name: string): Configs {
    return this.#brokerConfigs.get(name) ?? {}
  }

  groupConfigs(groupId: string): Configs {
    return this.#groupConfigs.get(groupId) ?? {}
  }

  configuredGroups(): Iterable<string> {
    return this.#groupConfigs.keys()
  }

  colliding(name: string): string | undefined {
    const holder = this.#nameByCollisionKey.get(collisionKey(name))
    return holder === name ? undefined : holder
  }

  deleting(): Topic[] {
    return [...this.#deleting.values()]
  }

  deletingById(id: string): Topic | undefined {
    return this.#deleting.get(id)
  }

  isDeleting(name: string): boolean {
    return this.deleting().some((topic) => topic.name === name)
  }

  isForeign(name: string, id: string | undefined): boolean {
    const known = this.#byName.get(name)
    if (known) return id !== undefined && id !== known.id
    return id === undefined ? this.isDeleting(name) : this.#deleting.has(id)
  }

  onChange(listener: MetadataListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  snapshot(): MetadataSnapshot {
    return {
      clusterId: this.#clusterId,
      brokers: [...this.#brokers.values()],
      topics: [...this.#byName.values()],
      deleting: this.deleting(),
      nextProducerId: this.#nextProducerId,
      brokerConfigs: Object.fromEntries(this.#brokerConfigs),
      groupConfigs: Object.fromEntries(this.#groupConfigs),
    }
  }

  /** Folds the command with this `sequence` in the log, then calls the listeners. */
  apply(sequence: number, command: MetadataCommand): void {
    this.#fold(sequence, command)
    const change = changeOf(command)
    if (change) for (const listener of this.#listeners) listener(change)
  }

  #fold(sequence: number, command: MetadataCommand): void {
    switch (command.type) {
      case 'initialize':
        assert(this.#clusterId === undefined, 'a cluster is initialized once')
        this.#clusterId = command.clusterId
        return
      case 'registerBroker':
        this.#registerBroker(sequence, command)
        return
      case 'createTopic':
        assert(!this.#byName.has(command.name), `topic ${command.name} does not exist yet`)
        this.#put(newTopic(command))
        return
      case 'createPartitions':
        this.#createPartitions(command)
        return
      case 'changePartition':
        this.#changePartition(command)
        return
      case 'deleteTopic':
        this.#deleteTopic(command.id)
        return
      case 'forgetTopic':
        assert(this.#deleting.delete(command.id), `topic ${command.id} is being deleted`)
        return
      case 'setConfigs':
        this.#setConfigs(command.resource, command.configs)
        return
      case 'reserveProducerIds':
        assert(command.next > this.#nextProducerId, 'producer ids only grow')
        this.#nextProducerId = command.next
        return
      default:
        unreachable(command)
    }
  }

  #registerBroker(sequence: number, command: CommandOf<'registerBroker'>): void {
    const { id, incarnation, listeners = [], rack } = command
    const before = this.#brokers.get(id)
    assert(!before || sequence > before.epoch, 'the epoch of a broker only grows')
    this.#brokers.set(id, { id, incarnation, epoch: sequence, listeners, rack })
  }

  #createPartitions({ id, firstPartition, assignments }: CommandOf<'createPartitions'>): void {
    const topic = this.#existing(id)
    const known = topic.partitions.length
    assert(firstPartition === known, `${topic.name} has ${firstPartition} partitions`)
    assert(assignments.length > 0, `${topic.name} can only get more partitions`)
    this.#put({ ...topic, partitions: [...topic.partitions, ...assignments.map(newRegistration)] })
  }

  #changePartition({ topicId, partition, change }: CommandOf<'changePartition'>): void {
    const topic = this.#existing(topicId)
    const before = topic.partitions[partition]
    assert(before, `partition ${topic.name}-${partition} exists`)
    const partitions = topic.partitions.with(partition, changedRegistration(before, change))
    this.#put({ ...topic, partitions })
  }

  #deleteTopic(id: string): void {
    const topic = this.#existing(id)
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
    this.#nameByCollisionKey.delete(collisionKey(topic.name))
    this.#deleting.set(topic.id, topic)
    this.#topicsVersion++
  }

  #setConfigs({ type, name }: ConfigResource, configs: Configs): void {
    if (type === 'topic') {
      this.#put({ ...this.#existing(name), configs })
      return
    }
    const byName = type === 'broker' ? this.#brokerConfigs : this.#groupConfigs
    if (Object.keys(configs).length === 0) byName.delete(name)
    else byName.set(name, configs)
  }

  #put(topic: Topic): void {
    this.#topicsVersion++
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
    this.#nameByCollisionKey.set(collisionKey(topic.name), topic.name)
  }

  #existing(id: string): Topic {
    const topic = this.#byId.get(id)
    assert(topic, `a topic with the id ${id} exists`)
    return topic
  }
}

/** The topic that the command creates. */
export function newTopic({ name, id, assignments, configs }: CommandOf<'createTopic'>): Topic {
  return { name, id, partitions: assignments.map(newRegistration), configs }
}

function changeOf(command: MetadataCommand): MetadataChange | undefined {
  switch (command.type) {
    case 'registerBroker':
      return { type: 'broker', id: command.id }
    case 'createTopic':
    case 'createPartitions':
    case 'deleteTopic':
    case 'forgetTopic':
      return { type: 'topic', id: command.id }
    case 'changePartition':
      return { type: 'topic', id: command.topicId }
    case 'setConfigs':
      return { type: 'configs', resource: command.resource }
    case 'initialize':
    case 'reserveProducerIds':
      return undefined
    default:
      return unreachable(command)
  }
}
