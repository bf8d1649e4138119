// Metadata logs of earlier releases, in their original bytes: each partition gets its sole replica
// on this node, everything else is kept, and logs of later releases are refused.

import { describe, expect, it } from 'vitest'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import type {
  StoredEntry,
  StoredSnapshot,
} from '../../../../broker/controller/metadata/metadataLog.ts'

const nodeId = 7
const sole = { replicas: [7], isr: [7], leader: 7, leaderEpoch: 0, partitionEpoch: 0 }

/** Values of the key `c0000000000000000` and the following ones. */
const releasedEntries = [
  '{"type":"initialize","clusterId":"bRd5XmLCSUmBc2ULg0sjjg"}',
  '{"type":"createTopic","name":"orders","id":"11111111-2222-4333-8444-555555555555","partitions":2,"configs":{"retention.ms":"5000"}}',
  '{"type":"createPartitions","id":"11111111-2222-4333-8444-555555555555","partitions":3}',
  '{"type":"createTopic","name":"old","id":"66666666-7777-4888-9999-000000000000","partitions":1,"configs":{}}',
  '{"type":"deleteTopic","id":"66666666-7777-4888-9999-000000000000"}',
  '{"type":"setConfigs","resource":{"type":"broker","name":""},"configs":{"max.connections":"6"}}',
  '{"type":"setConfigs","resource":{"type":"group","name":"g"},"configs":{"consumer.session.timeout.ms":"50000"}}',
  '{"type":"reserveProducerIds","next":1000}',
]

/** Value of the key `s`, of the same history. */
const releasedSnapshot =
  '{"clusterId":"bRd5XmLCSUmBc2ULg0sjjg","topics":[{"name":"orders","id":"11111111-2222-4333-8444-555555555555","partitions":3,"configs":{"retention.ms":"5000"}}],"deleting":[{"name":"old","id":"66666666-7777-4888-9999-000000000000","partitions":1,"configs":{}}],"nextProducerId":1000,"brokerConfigs":{"":{"max.connections":"6"}},"groupConfigs":{"g":{"consumer.session.timeout.ms":"50000"}}}'

const expected = {
  clusterId: 'bRd5XmLCSUmBc2ULg0sjjg',
  brokers: [],
  topics: [
    {
      name: 'orders',
      id: '11111111-2222-4333-8444-555555555555',
      partitions: [sole, sole, sole],
      configs: { 'retention.ms': '5000' },
    },
  ],
  deleting: [
    { name: 'old', id: '66666666-7777-4888-9999-000000000000', partitions: [sole], configs: {} },
  ],
  nextProducerId: 1000,
  brokerConfigs: { '': { 'max.connections': '6' } },
  groupConfigs: { g: { 'consumer.session.timeout.ms': '50000' } },
}

function foldOf(snapshot: string | undefined, entries: readonly string[], first = 0): MetadataFold {
  const parsed = snapshot === undefined ? undefined : (JSON.parse(snapshot) as StoredSnapshot)
  const history = {
    snapshot: parsed,
    entries: entries.map((entry) => JSON.parse(entry) as StoredEntry),
    nextSequence: first + entries.length,
  }
  return new MetadataFold(history, nodeId)
}

describe('metadata of earlier releases', () => {
  it('opens entries; each partition has its sole replica on this node', () => {
    const fold = foldOf(undefined, releasedEntries)
    expect(fold.view.snapshot()).toEqual(expected)
    expect(fold.nextSequence).toBe(releasedEntries.length)
  })

  it('opens a snapshot, followed by entries of either format', () => {
    const fold = foldOf(
      releasedSnapshot,
      [
        '{"type":"createPartitions","id":"11111111-2222-4333-8444-555555555555","partitions":4}',
        '{"version":1,"proposal":{"incarnation":"i","number":1},"command":{"type":"registerBroker","id":7,"incarnation":"i"}}',
      ],
      1000,
    )
    expect(fold.view.topic('orders')?.partitions).toEqual([sole, sole, sole, sole])
    expect(fold.view.broker(7)).toMatchObject({ incarnation: 'i', epoch: 1001 })
    expect(fold.entriesSinceSnapshot).toBe(2)
  })

  it('opens a snapshot from before brokers and groups had configs', () => {
    const fold = foldOf('{"clusterId":"c","topics":[],"deleting":[],"nextProducerId":3}', [])
    expect(fold.view.snapshot()).toMatchObject({
      clusterId: 'c',
      nextProducerId: 3,
      brokerConfigs: {},
      groupConfigs: {},
    })
  })

  it('reads back its own snapshot unchanged', () => {
    const text = JSON.stringify(foldOf(releasedSnapshot, []).snapshot())
    expect(foldOf(text, [], 1000).view.snapshot()).toEqual(expected)
  })
})

describe('another format version', () => {
  it('is refused if it is later than that of this release', () => {
    const refusal = expect.objectContaining({ code: 'METADATA_UNSUPPORTED' })
    expect(() => foldOf(undefined, ['{"version":2,"command":{"type":"x"}}'])).toThrow(refusal)
    expect(() => foldOf('{"version":2,"state":{}}', [])).toThrow(refusal)
  })

  // How the released code read an entry and a snapshot.
  it('has neither the type nor the topics that earlier releases read, so that they refuse it', () => {
    const entry = { version: 1, proposal: { incarnation: 'i', number: 1 }, command: {} }
    expect(Object.keys(entry)).not.toContain('type')
    expect(Object.keys(foldOf(releasedSnapshot, []).snapshot())).toEqual(['version', 'state'])
  })
})
