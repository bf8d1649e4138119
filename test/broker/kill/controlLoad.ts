// The administrative part of the load: topics that are created and deleted, and offsets of a group.

import { expect } from 'vitest'
import { Admin } from '../../../protocol/client/admin.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import { type Load, patiently, throwUnlessNone, type World } from './world.ts'

const mostTopics = 4
const madePrefix = 'made-'

export class TopicLoad implements Load {
  readonly #world: World
  /** Acknowledged topics, oldest first. */
  readonly #topics: string[] = []
  #made = 0

  constructor(world: World) {
    this.#world = world
  }

  async run(isOver: () => boolean): Promise<void> {
    const { cluster, random } = this.#world
    while (!isOver()) {
      if (this.#topics.length >= mostTopics) await this.#delete(this.#topics.shift()!)
      else await this.#create(`${madePrefix}${this.#made++}`)
      // Lets the other loads continue.
      await cluster.pause(random.below(100))
    }
  }

  async #create(name: string): Promise<void> {
    this.#world.note('creating')
    const admin = new Admin(this.#world.cluster, Number.POSITIVE_INFINITY)
    // The first attempt may have succeeded without an answer.
    await admin.createTopics([{ name, partitions: 2 }]).catch(unless(ErrorCode.topicAlreadyExists))
    this.#topics.push(name)
  }

  async #delete(name: string): Promise<void> {
    const admin = new Admin(this.#world.cluster, Number.POSITIVE_INFINITY)
    const attempt = () => admin.deleteTopics([name])
    await attempt().catch(unless(ErrorCode.unknownTopicOrPartition))
  }

  async check(): Promise<void> {
    const admin = new Admin(this.#world.cluster)
    const made = (await admin.listTopics()).filter((name) => name.startsWith(madePrefix))
    expect(made).toEqual([...this.#topics].sort())
    for (const { partitions } of await admin.describeTopics(made)) {
      expect(partitions).toHaveLength(2)
    }
  }
}

function unless(errorCode: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof KafkaError) || error.errorCode !== errorCode) throw error
  }
}

/** A group without members, whose offset only grows. */
export class OffsetLoad implements Load {
  readonly #world: World
  readonly #groupId: string
  readonly #topic: string
  #acknowledged = -1

  constructor(world: World, groupId: string, topic: string) {
    this.#world = world
    this.#groupId = groupId
    this.#topic = topic
  }

  async run(isOver: () => boolean): Promise<void> {
    for (let offset = 0; !isOver(); offset++) {
      this.#world.note('committing')
      await patiently(this.#world, () => this.#commit(offset))
      this.#acknowledged = offset
    }
  }

  async #commit(committedOffset: number): Promise<void> {
    const connection = await this.#world.cluster.any()
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const topics = [{ name: this.#topic, partitions }]
    const request = { groupId: this.#groupId, memberId: '', topics }
    const answer = await connection.send(offsetCommit, request)
    throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
  }

  async check(): Promise<void> {
    const offsets = await new Admin(this.#world.cluster).committedOffsets(this.#groupId)
    expect(offsets.get(this.#topic)?.get(0) ?? -1).toBe(this.#acknowledged)
  }
}
