// The group protocols, request by request: who may join, the answers to a wrong generation, member
// or epoch, and commits and fetches of offsets in every state of a group.

import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { leaveGroup } from '../../../protocol/kafka/apis/leaveGroup.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import type { RequestInput } from '../../../protocol/kafka/schema/schema.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

class Group {
  readonly #probe: Probe
  readonly id: string

  constructor(probe: Probe, base: string) {
    this.#probe = probe
    this.id = probe.stage.name(base)
  }

  join(label: string, request: Partial<RequestInput<typeof joinGroup>>, version = 9) {
    return this.#probe.ask(label, joinGroup, version, {
      ...{ groupId: this.id, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 1000, memberId: '' },
      ...{ protocolType: 'consumer', protocols: [{ name: 'range', metadata: Buffer.from('m') }] },
      ...request,
    })
  }

  sync(
    label: string,
    memberId: string,
    generationId: number,
    members: string[] = [],
    more: Partial<RequestInput<typeof syncGroup>> = {},
  ) {
    const assignments = members.map((each) => ({ memberId: each, assignment: Buffer.from('a') }))
    return this.#probe.ask(label, syncGroup, 5, {
      ...{ groupId: this.id, generationId, memberId, assignments },
      ...{ protocolType: 'consumer', protocolName: 'range' },
      ...more,
    })
  }

  beat(
    label: string,
    memberId: string,
    generationId: number,
    groupInstanceId: string | null = null,
  ) {
    return this.#probe.ask(label, heartbeat, 4, {
      groupId: this.id,
      generationId,
      memberId,
      groupInstanceId,
    })
  }

  leave(label: string, memberId: string, groupInstanceId: string | null = null) {
    return this.#probe.ask(label, leaveGroup, 5, {
      groupId: this.id,
      members: [{ memberId, groupInstanceId }],
    })
  }

  describe(label: string) {
    return this.#probe.ask(label, describeGroups, 6, {
      groups: [this.id],
      includeAuthorizedOperations: true,
    })
  }

  commit(
    label: string,
    topic: string,
    request: Partial<RequestInput<typeof offsetCommit>> = {},
    version = 9,
  ) {
    const partition = { partitionIndex: 0, committedOffset: 4, committedMetadata: 'note' }
    return this.#probe.ask(label, offsetCommit, version, {
      groupId: this.id,
      topics: [{ name: topic, partitions: [partition] }],
      ...request,
    })
  }

  offsets(label: string, memberId: string | null = null, memberEpoch = -1) {
    const groups = [{ groupId: this.id, topics: null, memberId, memberEpoch }]
    return this.#probe.ask(label, offsetFetch, 9, { groups })
  }

  /** Creates a group of one stable member. */
  async stable(label: string): Promise<{ memberId: string; generationId: number }> {
    const first = await this.join(`${label}: asks`, {})
    const { memberId, generationId } = (await this.join(`${label}: joins`, {
      memberId: first!.memberId,
    }))!
    await this.sync(`${label}: syncs`, memberId, generationId, [memberId])
    return { memberId, generationId }
  }
}

export const rawGroups: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'classic-group',
    run: probing(async (probe) => {
      const group = new Group(probe, 'g')
      await group.describe('described before')
      await group.join('no group id', { groupId: '' })
      await group.join('a short session', { sessionTimeoutMs: 1 })
      await group.join('a long session', { sessionTimeoutMs: 10_000_000 })
      await group.join('no protocols', { protocols: [] })
      await group.join('no protocol type', { protocolType: '' })
      await group.join('unknown member', { memberId: 'nobody' })
      await group.sync('sync of nobody', 'nobody', 1)
      await group.beat('heartbeat of nobody', 'nobody', 1)
      await group.leave('leave of nobody', 'nobody')
      const { memberId, generationId } = await group.stable('first')
      await group.describe('described stable')
      await group.beat('heartbeat', memberId, generationId)
      await group.beat('heartbeat of the last generation', memberId, generationId - 1)
      await group.beat('heartbeat of the next generation', memberId, generationId + 1)
      await group.sync('sync again', memberId, generationId)
      await group.sync('sync of the last generation', memberId, generationId - 1)
      await group.sync('sync of another protocol', memberId, generationId, [], {
        protocolName: 'roundrobin',
      })
      await group.sync('sync of another type', memberId, generationId, [], {
        protocolType: 'connect',
      })
      await group.join('of another type', { protocolType: 'connect' })
      await group.join('of another protocol', {
        protocols: [{ name: 'other', metadata: Buffer.from('') }],
      })
      await group.join('the same again', { memberId })
      await group.sync('the same syncs', memberId, generationId + 1, [memberId])
      await group.leave('leaves as an unknown static', '', 'static')
      await group.leave('leaves', memberId)
      await group.leave('leaves again', memberId)
      await group.describe('described empty')
      await group.beat('heartbeat after leaving', memberId, generationId + 1)
      const old = new Group(probe, 'old')
      const joined = await old.join('in version 3', {}, 3)
      await old.sync('sync after version 3', joined!.memberId, joined!.generationId, [
        joined!.memberId,
      ])
      await probe.ask('leave in version 1', leaveGroup, 1, {
        groupId: old.id,
        memberId: joined!.memberId,
      })
    }),
  },
  {
    client: 'raw',
    name: 'static-member',
    run: probing(async (probe) => {
      const group = new Group(probe, 'g')
      const first = (await group.join('joins', { groupInstanceId: 'one' }))!
      await group.sync('syncs', first.memberId, first.generationId, [first.memberId], {
        groupInstanceId: 'one',
      })
      const second = (await group.join('comes back', { groupInstanceId: 'one' }))!
      await group.beat('the old id', first.memberId, first.generationId, 'one')
      await group.beat('the new id', second.memberId, second.generationId, 'one')
      await group.beat('another instance', second.memberId, second.generationId, 'two')
      await group.sync('the old id syncs', first.memberId, first.generationId, [], {
        groupInstanceId: 'one',
      })
      await group.sync('the new id syncs', second.memberId, second.generationId, [], {
        groupInstanceId: 'one',
      })
      await group.join('the old id joins', { memberId: first.memberId, groupInstanceId: 'one' })
      await group.describe('described')
      const topic = await probe.createTopic('t')
      const commit = (label: string, memberId: string) =>
        group.commit(label, topic.name, {
          generationIdOrMemberEpoch: second.generationId,
          memberId,
          groupInstanceId: 'one',
        })
      await commit('the old id commits', first.memberId)
      await commit('the new id commits', second.memberId)
      await group.leave('leaves by instance', '', 'one')
      await group.describe('described empty')
    }),
  },
  {
    client: 'raw',
    name: 'offsets',
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const group = new Group(probe, 'g')
      await group.offsets('of no group')
      await group.commit('without a group', name, { groupId: '' })
      await group.commit('by a member of nothing', name, {
        generationIdOrMemberEpoch: 1,
        memberId: 'nobody',
      })
      for (const version of [2, 3, 5, 6, 7, 8, 9])
        await group.commit(`in version ${version}`, name, {}, version)
      await group.offsets('committed')
      for (const version of [1, 2, 3, 5, 6, 7]) {
        await probe.ask(`fetched in version ${version}`, offsetFetch, version, {
          groupId: group.id,
          topics: [
            { name, partitionIndexes: [0, 1] },
            { name: stage.name('none'), partitionIndexes: [0] },
          ],
        })
      }
      await probe.ask('all in version 2', offsetFetch, 2, { groupId: group.id, topics: null })
      await probe.ask('of no groups', offsetFetch, 8, { groups: [] })
      const commit = (
        label: string,
        topic: string,
        partitionIndex: number,
        committedOffset: number,
        committedMetadata: string | null,
      ) =>
        group.commit(label, topic, {
          topics: [
            { name: topic, partitions: [{ partitionIndex, committedOffset, committedMetadata }] },
          ],
        })
      await commit('of an unknown topic', stage.name('none'), 0, 1, '')
      await commit('of an unknown partition', name, 5, 1, '')
      await commit('a long note', name, 0, 1, 'x'.repeat(4097))
      await commit('the longest note', name, 0, 1, 'x'.repeat(4096))
      await commit('no note', name, 0, 2, null)
      await commit('a negative offset', name, 0, -1, '')
      await group.offsets('what is left of them')
      const { memberId, generationId } = await group.stable('a member')
      await group.commit('by the member', name, {
        generationIdOrMemberEpoch: generationId,
        memberId,
      })
      await group.commit('of the wrong generation', name, {
        generationIdOrMemberEpoch: generationId + 1,
        memberId,
      })
      await group.commit('by a stranger', name, {
        generationIdOrMemberEpoch: generationId,
        memberId: 'nobody',
      })
      await group.commit('by no one, while there is a member', name)
      const remove = (label: string, topic: string, groupId = group.id) =>
        probe.ask(label, offsetDelete, 0, {
          groupId,
          topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }],
        })
      await remove('offset of a live group deleted', name)
      await probe.ask('live group deleted', deleteGroups, 2, {
        groupsNames: [group.id],
      })
      await group.leave('the member leaves', memberId)
      await remove('offset of an unknown topic deleted', stage.name('none'))
      await remove('offset of an unknown group deleted', name, stage.name('none'))
      await remove('offset deleted', name)
      await group.offsets('after that')
      await group.commit('once more', name)
      await probe.ask('group deleted', deleteGroups, 2, { groupsNames: [group.id] })
      await group.offsets('when all is gone')
      const listed = await probe.send(listGroups, 5, { statesFilter: [], typesFilter: [] })
      probe.answers.listed = listed.groups.filter(({ groupId }) =>
        groupId.startsWith(stage.name('')),
      )
    }),
  },
  {
    client: 'raw',
    name: 'consumer-group',
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t', 2)
      const group = new Group(probe, 'g')
      const beat = (label: string, request: Partial<RequestInput<typeof consumerGroupHeartbeat>>) =>
        probe.ask(label, consumerGroupHeartbeat, 1, {
          groupId: group.id,
          memberId: 'one',
          memberEpoch: 0,
          ...request,
        })
      const join = { rebalanceTimeoutMs: 1000, subscribedTopicNames: [name], topicPartitions: [] }
      await beat('no group id', { ...join, groupId: '' })
      await beat('no member id', { ...join, memberId: '' })
      await beat('no timeout', { subscribedTopicNames: [name], topicPartitions: [] })
      await beat('no topics', { rebalanceTimeoutMs: 1000, topicPartitions: [] })
      await beat('no partitions', { rebalanceTimeoutMs: 1000, subscribedTopicNames: [name] })
      await beat('owning at once', {
        ...join,
        topicPartitions: [{ topicId: '11111111-1111-1111-1111-111111111111', partitions: [0] }],
      })
      await beat('unknown assignor', { ...join, serverAssignor: 'cooperative' })
      await beat('bad pattern', { ...join, subscribedTopicNames: null, subscribedTopicRegex: '(' })
      await beat('unknown member', { memberEpoch: 3 })
      await beat('empty instance', { ...join, instanceId: '' })
      await beat('epoch -3', { ...join, memberEpoch: -3 })
      await beat('joins', join)
      await beat('joins again', join)
      await beat('an epoch ahead', { memberEpoch: 99 })
      await beat('an unknown member leaves', { memberId: 'two', memberEpoch: -1 })
      const describe = (label: string) =>
        probe.ask(label, consumerGroupDescribe, 1, {
          groupIds: [group.id, stage.name('none')],
          includeAuthorizedOperations: true,
        })
      await describe('described')
      await group.describe('described as a classic group')
      await group.commit('commit', name, { generationIdOrMemberEpoch: 1, memberId: 'one' })
      await group.commit('commit in an old epoch', name, {
        generationIdOrMemberEpoch: 0,
        memberId: 'one',
      })
      await group.commit('commit ahead', name, { generationIdOrMemberEpoch: 7, memberId: 'one' })
      await group.commit('commit of no one', name)
      await group.offsets('offsets', 'one', 1)
      await group.offsets('offsets in an old epoch', 'one', 0)
      await group.offsets('offsets ahead', 'one', 8)
      await group.offsets('offsets of a stranger', 'nobody', 1)
      await group.offsets('offsets for an administrator')
      await group.join('a classic member of another type', { protocolType: 'connect' })
      await group.beat('a classic heartbeat', 'one', 1)
      await probe.ask('deleted while alive', deleteGroups, 2, { groupsNames: [group.id] })
      await beat('leaves', { memberEpoch: -1 })
      await beat('leaves again', { memberEpoch: -1 })
      await describe('described empty')
      await beat('a static member joins', { ...join, memberId: 'three', instanceId: 'i' })
      await beat('the same instance', { ...join, memberId: 'four', instanceId: 'i' })
      await beat('it steps away', { memberId: 'three', memberEpoch: -2, instanceId: 'i' })
      await beat('it comes back', { ...join, memberId: 'four', instanceId: 'i' })
      await beat('the old one is heard of', { memberId: 'three', memberEpoch: 2, instanceId: 'i' })
      await beat('it leaves', { memberId: 'four', memberEpoch: -1, instanceId: 'i' })
      await probe.ask('deleted', deleteGroups, 2, { groupsNames: [group.id] })
      const classic = new Group(probe, 'classic')
      await classic.stable('classic')
      await probe.ask('a classic group described as a consumer group', consumerGroupDescribe, 1, {
        groupIds: [classic.id],
        includeAuthorizedOperations: false,
      })
    }),
  },
]
