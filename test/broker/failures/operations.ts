// The administrative operations of a broker, each with what must hold once it has succeeded. All
// run on the same small data: topics with records, groups with offsets, an open transaction.

import { expect } from 'vitest'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { AdminRequests, Producer } from './adminRequests.ts'

export interface World {
  /**
   * The producer of the open transaction, in which one record was written and an offset committed.
   */
  readonly open: Producer
  /** A producer whose transaction has not begun. */
  readonly idle: Producer
}

export interface Operation {
  readonly name: string
  /** Error codes, one for each requested item. */
  readonly run: (admin: AdminRequests, world: World) => Promise<readonly number[]>
  /** Codes that mean that the operation was done before. */
  readonly already?: readonly number[]
  /**
   * No offset was committed and no transaction begun before: the coordinators' topics are created.
   */
  readonly isFirstUse?: true
  /** What must hold from the first success on. Runs more than once. */
  readonly check: (admin: AdminRequests, world: World) => Promise<void>
}

const one = async (code: Promise<number>) => [await code]

async function expectLed(admin: AdminRequests, name: string, partitions: number): Promise<void> {
  const codes = Array<number>(partitions).fill(0)
  expect(await admin.describeTopic(name)).toEqual({ errorCode: 0, partitions: codes })
}

async function expectConfig(
  admin: AdminRequests,
  type: number,
  resource: string,
  name: string,
  value: string,
): Promise<void> {
  expect(await admin.config(type, resource, name)).toBe(value)
}

const largest = 'max.message.bytes'
const session = 'consumer.session.timeout.ms'

export const operations: readonly Operation[] = [
  {
    name: 'the first OffsetCommit',
    isFirstUse: true,
    run: (admin) => one(admin.commit('first group', 'kept', 3)),
    async check(admin) {
      expect(await admin.committed('first group', 'kept')).toBe(3)
    },
  },
  {
    name: 'the first InitProducerId of a transactional id',
    isFirstUse: true,
    run: async (admin) => [(await admin.initProducerId('first')).errorCode],
    async check(admin) {
      expect((await admin.initProducerId('first')).errorCode).toBe(0)
    },
  },
  {
    name: 'CreateTopics',
    run: (admin) => admin.createTopics(['new', 2], ['newer', 1]),
    already: [ErrorCode.topicAlreadyExists],
    async check(admin) {
      await expectLed(admin, 'new', 2)
      await expectLed(admin, 'newer', 1)
    },
  },
  {
    name: 'CreatePartitions',
    run: (admin) => admin.createPartitions(['kept', 4], ['orders', 3]),
    already: [ErrorCode.invalidPartitions],
    async check(admin) {
      await expectLed(admin, 'kept', 4)
      await expectLed(admin, 'orders', 3)
    },
  },
  {
    name: 'DeleteTopics',
    run: (admin) => admin.deleteTopics('orders', 'spare'),
    already: [ErrorCode.unknownTopicOrPartition],
    async check(admin) {
      const topics = await admin.topicNames()
      if (!topics.includes('orders')) {
        expect(topics).not.toContain('spare')
        // The name is free, and a new topic has no data of the deleted one.
        expect(await admin.createTopics(['orders', 2])).toEqual([0])
        expect(await admin.produce('orders', 0, ['reborn'])).toBe(0)
      }
      expect(await admin.read('orders', 0)).toContain('reborn')
      expect(await admin.read('orders', 0)).not.toContain('order 1')
      expect(await admin.committed('g', 'orders')).toBe(-1)
    },
  },
  {
    name: 'DeleteRecords',
    run: (admin) => one(admin.deleteRecords('orders', 2)),
    async check(admin) {
      expect(await admin.read('orders', 0)).toBe(ErrorCode.offsetOutOfRange)
      expect(await admin.read('orders', 0, 2)).toContain('order 3')
    },
  },
  {
    name: 'IncrementalAlterConfigs of a topic',
    run: (admin) => one(admin.setConfig(2, 'kept', largest, '3000')),
    check: (admin) => expectConfig(admin, 2, 'kept', largest, '3000'),
  },
  {
    name: 'IncrementalAlterConfigs of a broker',
    run: (admin) => one(admin.setConfig(4, '', 'max.connections', '77')),
    check: (admin) => expectConfig(admin, 4, '1', 'max.connections', '77'),
  },
  {
    name: 'IncrementalAlterConfigs of a group',
    run: (admin) => one(admin.setConfig(32, 'g', session, '50000')),
    check: (admin) => expectConfig(admin, 32, 'g', session, '50000'),
  },
  {
    name: 'AlterConfigs of a topic',
    run: (admin) => one(admin.replaceConfigs(2, 'kept', largest, '3000')),
    check: (admin) => expectConfig(admin, 2, 'kept', largest, '3000'),
  },
  {
    name: 'AlterConfigs of a broker',
    run: (admin) => one(admin.replaceConfigs(4, '', 'max.connections', '77')),
    check: (admin) => expectConfig(admin, 4, '1', 'max.connections', '77'),
  },
  {
    name: 'AlterConfigs of a group',
    run: (admin) => one(admin.replaceConfigs(32, 'g', session, '50000')),
    check: (admin) => expectConfig(admin, 32, 'g', session, '50000'),
  },
  {
    name: 'Metadata that creates a topic',
    run: async (admin) => {
      const first = await admin.describeTopic('auto', true)
      // The answer that creates a topic is that the topic does not exist, and clients retry.
      const isNew = first.errorCode === ErrorCode.unknownTopicOrPartition
      const { errorCode, partitions } = isNew ? await admin.describeTopic('auto', true) : first
      return [errorCode, ...partitions]
    },
    check: (admin) => expectLed(admin, 'auto', 1),
  },
  {
    name: 'InitProducerId',
    run: async (admin) => [(await admin.initProducerId()).errorCode],
    async check(admin) {
      const [first, second] = [await admin.initProducerId(), await admin.initProducerId()]
      expect(second.producerId).not.toBe(first.producerId)
    },
  },
  {
    name: 'InitProducerId of a transactional id',
    run: async (admin) => [(await admin.initProducerId('another')).errorCode],
    async check(admin) {
      expect((await admin.initProducerId('another')).errorCode).toBe(0)
    },
  },
  {
    name: 'OffsetCommit',
    run: (admin) => one(admin.commit('new group', 'kept', 3)),
    async check(admin) {
      expect(await admin.committed('new group', 'kept')).toBe(3)
    },
  },
  {
    name: 'OffsetDelete',
    run: (admin) => one(admin.deleteOffsets('g', 'kept')),
    async check(admin) {
      expect(await admin.committed('g', 'kept')).toBe(-1)
      expect(await admin.committed('g', 'orders')).toBe(7)
    },
  },
  {
    name: 'DeleteGroups',
    run: (admin) => one(admin.deleteGroup('spare group')),
    already: [ErrorCode.groupIdNotFound],
    async check(admin) {
      expect(await admin.committed('spare group', 'kept')).toBe(-1)
    },
  },
  {
    name: 'AddPartitionsToTxn',
    run: (admin, { idle }) => one(admin.addPartition(idle, 'kept')),
    async check(admin, { idle }) {
      expect(await admin.addPartition(idle, 'kept')).toBe(0)
    },
  },
  {
    name: 'AddOffsetsToTxn',
    run: (admin, { idle }) => one(admin.addOffsets(idle, 'third group')),
    async check(admin, { idle }) {
      expect(await admin.addOffsets(idle, 'third group')).toBe(0)
    },
  },
  {
    name: 'TxnOffsetCommit',
    run: (admin, { open }) => one(admin.commitInTransaction(open, 'in transaction', 'kept', 9)),
    async check(admin, { open }) {
      expect(await admin.commitInTransaction(open, 'in transaction', 'kept', 9)).toBe(0)
    },
  },
  {
    name: 'EndTxn that commits',
    run: (admin, { open }) => one(admin.endTransaction(open, true)),
    async check(admin) {
      expect(await admin.read('spare', 0)).toContain('in transaction')
      expect(await admin.committed('in transaction', 'kept')).toBe(8)
    },
  },
  {
    name: 'EndTxn that aborts',
    run: (admin, { open }) => one(admin.endTransaction(open, false)),
    async check(admin) {
      expect(await admin.produce('spare', 0, ['after'])).toBe(0)
      const values = await admin.read('spare', 0)
      expect(values).toContain('after')
      expect(values).not.toContain('in transaction')
      expect(await admin.committed('in transaction', 'kept')).toBe(-1)
    },
  },
]
