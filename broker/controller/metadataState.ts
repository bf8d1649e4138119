// What the cluster agrees on: its id, its topics, the producer ids given out. A fold of commands,
// with nothing else in it: the same commands give the same state on every node and after every
// restart. It decides nothing (topicRequests.ts does) and does no I/O (controller.ts does).

import { assert, unreachable } from '../../protocol/runtime/assert.ts'
import { collisionKey } from './topicName.ts'

export interface Topic {
  readonly name: string
  /** A UUID that outlives no deletion: a topic created again under the same name has another. */
  readonly id: string
  readonly partitions: number
  /** Only what was set for this topic; the rest comes from the broker's configuration. */
  readonly configs: Readonly<Record<string, string>>
}

/** What configs are set for: a topic by its id, a broker by its id ('' is all brokers), a group. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'group'
  readonly name: string
}

type Configs = Readonly<Record<string, string>>

export type MetadataCommand =
  | { readonly type: 'initialize'; readonly clusterId: string }
  | {
      readonly type: 'createTopic'
      readonly name: string
      readonly id: string
      readonly partitions: number
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly type: 'createPartitions'; readonly id: string; readonly partitions: number }
  /** Clients no longer see the topic; its logs and offsets are still to be removed, and its name is taken. */
  | { readonly type: 'deleteTopic'; readonly id: string }
  /** The logs and offsets of a deleted topic are gone, and its name is free. */
  | { readonly type: 'forgetTopic'; readonly id: string }
  /** Everything that is set for the resource from now on: what is not named is no longer set. */
  | {
      readonly type: 'setConfigs'
      readonly resource: ConfigResource
      readonly configs: Readonly<Record<string, string>>
    }
  /** Producer ids below `next` must never be given out again. */
  | { readonly type: 'reserveProducerIds'; readonly next: number }

/** The state as plain data, for a snapshot. */
export interface MetadataSnapshot {
  readonly clusterId: string | undefined
  readonly topics: readonly Topic[]
  readonly deleting: readonly Topic[]
  readonly nextProducerId: number
  /** Missing in snapshots from before brokers and groups could be configured. */
  readonly brokerConfigs?: Readonly<Record<string, Configs>>
  readonly groupConfigs?: Readonly<Record<string, Configs>>
}

export class MetadataState {
  #clusterId: string | undefined
  #nextProducerId = 0
  #topicsVersion = 0
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()
  readonly #nameByCollisionKey = new Map<string, string>()
  readonly #deleting = new Map<string, Topic>()
  readonly #brokerConfigs = new Map<string, Configs>()
  readonly #groupConfigs = new Map<string, Configs>()

  static restore(snapshot: MetadataSnapshot): MetadataState {
    const state = new MetadataState()
    state.#clusterId = snapshot.clusterId
    state.#nextProducerId = snapshot.nextProducerId
    for (const topic of snapshot.topics) state.#put(topic)
    for (const topic of snapshot.deleting) state.#deleting.set(topic.id, topic)
    for (const [name, configs] of Object.entries(snapshot.brokerConfigs ?? {})) {
      state.#brokerConfigs.set(name, configs)
    }
    for (const [name, configs] of Object.entries(snapshot.groupConfigs ?? {})) {
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

  /** Another number as soon as a topic has come, changed or gone; not the same after a restart. */
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

  /** What was set for one broker or, by the name '', for all of them. */
  brokerConfigs(name: string): Configs {
    return this.#brokerConfigs.get(name) ?? {}
  }

  groupConfigs(groupId: string): Configs {
    return this.#groupConfigs.get(groupId) ?? {}
  }

  /** Every group for which something is set. */
  configuredGroups(): Iterable<string> {
    return this.#groupConfigs.keys()
  }

  /** The topic with which `name` cannot live together, because only "." and "_" differ. */
  colliding(name: string): string | undefined {
    const holder = this.#nameByCollisionKey.get(collisionKey(name))
    return holder === name ? undefined : holder
  }

  /** Deleted topics whose logs or offsets may still be there. */
  deleting(): Topic[] {
    return [...this.#deleting.values()]
  }

  deletingById(id: string): Topic | undefined {
    return this.#deleting.get(id)
  }

  /** Whether what is left of a deleted topic keeps its name from being given away. */
  isDeleting(name: string): boolean {
    return this.deleting().some((topic) => topic.name === name)
  }

  /**
   * Whether a partition's folder belongs to another topic than the one that has the name now, by the topic id
   * noted in the folder: to a deleted one, as a rule.
   */
  isForeign(name: string, id: string | undefined): boolean {
    const known = this.#byName.get(name)
    if (known) return id !== undefined && id !== known.id
    return id === undefined ? this.isDeleting(name) : this.#deleting.has(id)
  }

  apply(command: MetadataCommand): void {
    switch (command.type) {
      case 'initialize':
        assert(this.#clusterId === undefined, 'a cluster is initialized once')
        this.#clusterId = command.clusterId
        return
      case 'createTopic':
        assert(!this.#byName.has(command.name), `topic ${command.name} is there already`)
        this.#put({
          name: command.name,
          id: command.id,
          partitions: command.partitions,
          configs: command.configs,
        })
        return
      case 'createPartitions': {
        const topic = this.#existing(command.id)
        assert(command.partitions > topic.partitions, `${topic.name} can only grow`)
        this.#put({ ...topic, partitions: command.partitions })
        return
      }
      case 'deleteTopic': {
        const topic = this.#existing(command.id)
        this.#byName.delete(topic.name)
        this.#byId.delete(topic.id)
        this.#nameByCollisionKey.delete(collisionKey(topic.name))
        this.#deleting.set(topic.id, topic)
        this.#topicsVersion++
        return
      }
      case 'forgetTopic':
        assert(this.#deleting.delete(command.id), `topic ${command.id} was not being deleted`)
        return
      case 'setConfigs':
        this.#setConfigs(command.resource, command.configs)
        return
      case 'reserveProducerIds':
        assert(command.next > this.#nextProducerId, 'producer ids only go up')
        this.#nextProducerId = command.next
        return
      default:
        unreachable(command)
    }
  }

  snapshot(): MetadataSnapshot {
    return {
      clusterId: this.#clusterId,
      topics: [...this.#byName.values()],
      deleting: this.deleting(),
      nextProducerId: this.#nextProducerId,
      brokerConfigs: Object.fromEntries(this.#brokerConfigs),
      groupConfigs: Object.fromEntries(this.#groupConfigs),
    }
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
    assert(topic, `there is no topic with the id ${id}`)
    return topic
  }
}
