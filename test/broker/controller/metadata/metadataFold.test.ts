// The rules of the fold: how each command changes the state, and which commands are broken
// invariants.

import { describe, expect, it } from 'vitest'
import type { MetadataCommand } from '../../../../broker/controller/metadata/metadataCommand.ts'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import type { MetadataChange } from '../../../../broker/controller/metadata/metadataView.ts'
import {
  noLeader,
  type PartitionChange,
} from '../../../../broker/controller/partitionRegistration.ts'

function foldOf(...commands: MetadataCommand[]): MetadataFold {
  const fold = new MetadataFold({ snapshot: undefined, entries: [], nextSequence: 0 }, 1)
  for (const command of commands) apply(fold, command)
  return fold
}

function apply(fold: MetadataFold, command: MetadataCommand): void {
  fold.fold(fold.nextSequence, { version: 1, command })
}

const topic: MetadataCommand = {
  ...{ type: 'createTopic', name: 't', id: 'id' },
  assignments: [[1, 2, 3]],
  configs: {},
}

const change = (of: PartitionChange): MetadataCommand => {
  return { type: 'changePartition', topicId: 'id', partition: 0, change: of }
}

const partition = (fold: MetadataFold) => fold.view.topic('t')!.partitions[0]!

describe('MetadataFold', () => {
  it('folds entries once each, without a gap', () => {
    const fold = foldOf(topic)
    const entry = { version: 1, command: { type: 'deleteTopic', id: 'id' } } as const
    expect(() => fold.fold(0, entry)).toThrow('entry 0 is folded after entry 0')
    expect(() => fold.fold(2, entry)).toThrow('entry 2 is folded after entry 0')
    fold.fold(1, entry)
    expect(fold.view.deletingById('id')).toBeDefined()
  })

  it('calls the listeners after the state has changed, until they unsubscribe', () => {
    const fold = foldOf()
    const changes: [MetadataChange, boolean][] = []
    const unsubscribe = fold.view.onChange((each) => {
      changes.push([each, fold.view.topic('t') !== undefined])
    })
    apply(fold, { type: 'initialize', clusterId: 'c' })
    apply(fold, topic)
    apply(fold, change({ leader: 2, partitionEpoch: 1 }))
    const resource = { type: 'group', name: 'g' } as const
    apply(fold, { type: 'setConfigs', resource, configs: {} })
    unsubscribe()
    apply(fold, { type: 'deleteTopic', id: 'id' })
    expect(changes).toEqual([
      [{ type: 'topic', id: 'id' }, true],
      [{ type: 'topic', id: 'id' }, true],
      [{ type: 'configs', resource }, true],
    ])
  })

  it('registers a broker with the sequence of its entry; a later incarnation replaces it', () => {
    const fold = foldOf(topic, { type: 'registerBroker', id: 2, incarnation: 'x', rack: 'r' })
    expect(fold.view.broker(2)).toEqual({
      ...{ id: 2, incarnation: 'x', epoch: 1, listeners: [], rack: 'r' },
    })
    apply(fold, { type: 'registerBroker', id: 2, incarnation: 'y' })
    expect([...fold.view.brokers()]).toMatchObject([{ incarnation: 'y', epoch: 2 }])
  })

  it('never decreases the next producer id', () => {
    const fold = foldOf({ type: 'reserveProducerIds', next: 10 })
    expect(() => apply(fold, { type: 'reserveProducerIds', next: 10 })).toThrow('only grow')
  })

  it('adds partitions after those that the proposer has seen', () => {
    const fold = foldOf(topic)
    const more = { type: 'createPartitions', id: 'id', assignments: [[2]] } as const
    apply(fold, { ...more, firstPartition: 1 })
    expect(fold.view.topic('t')!.partitions.map(({ leader }) => leader)).toEqual([1, 2])
    expect(() => apply(fold, { ...more, firstPartition: 1 })).toThrow('has 1 partitions')
  })
})

describe('a change of a partition', () => {
  it('raises the partition epoch, and the leader epoch if it elects a leader', () => {
    const fold = foldOf(topic)
    expect(partition(fold)).toMatchObject({ leader: 1, leaderEpoch: 0, partitionEpoch: 0 })
    apply(fold, change({ isr: [1, 2], partitionEpoch: 1 }))
    expect(partition(fold)).toMatchObject({ isr: [1, 2], leader: 1, leaderEpoch: 0 })
    apply(fold, change({ leader: 2, isr: [2], partitionEpoch: 2 }))
    expect(partition(fold)).toMatchObject({ isr: [2], leader: 2, leaderEpoch: 1 })
    apply(fold, change({ leader: noLeader, partitionEpoch: 3 }))
    expect(partition(fold)).toEqual({
      ...{ replicas: [1, 2, 3], isr: [2], leader: noLeader, leaderEpoch: 2, partitionEpoch: 3 },
    })
  })

  it.each<[string, PartitionChange, string]>([
    ['was decided on another epoch', { partitionEpoch: 2 }, 'follows partition epoch 0'],
    ['repeats an epoch', { partitionEpoch: 0 }, 'follows partition epoch 0'],
    ['empties the ISR', { isr: [], partitionEpoch: 1 }, 'last in-sync replica'],
    ['has others in the ISR', { isr: [1, 4], partitionEpoch: 1 }, 'is a replica'],
    ['elects from outside the ISR', { isr: [1], leader: 2, partitionEpoch: 1 }, 'from the ISR'],
    ['removes its leader from the ISR', { isr: [2], partitionEpoch: 1 }, 'from the ISR'],
  ])('is a broken invariant if it %s', (_, of, message) => {
    expect(() => apply(foldOf(topic), change(of))).toThrow(message)
  })
})
