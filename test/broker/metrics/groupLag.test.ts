// The lag of groups: in records by the committed offsets, in seconds by the timestamps in the log.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { BusyBroker } from './busyBroker.ts'

const ofPartition = (group: string, partition = 0) =>
  `{consumergroup="${group}",topic="t",partition="${partition}"}`
const ofTopic = (group: string) => `{consumergroup="${group}",topic="t"}`
const seconds = 'millrace_consumer_group_lag_seconds'
const maxSeconds = 'millrace_consumer_group_lag_max_seconds'

let busy: BusyBroker

beforeEach(async () => {
  busy = await BusyBroker.start()
  await busy.createTopic('t', 2)
})

afterEach(() => busy.stop())

/** Records so many seconds old, in one batch. */
function batchAged(...ages: number[]): Buffer {
  const builder = new RecordBatchBuilder()
  const nowMs = busy.broker.clock.nowMs()
  for (const age of ages) builder.append(nowMs - age * 1000, null, Buffer.from('x'))
  return builder.build()
}

describe('the lag of a group', () => {
  test('is known in records and in seconds, exactly, for every group with commits', async () => {
    await busy.produce('t', batchAged(50, 40, 30))
    await busy.produce('t', batchAged(20, 10))
    await busy.produce('t', batchAged(7), 1)
    await busy.commit('g', 't', 1)
    await busy.commit('g', 't', 0, 1)
    await busy.commit('h', 't', 3)
    await busy.commit('done', 't', 5)
    const families = await busy.families()
    const at = (name: string, labels: string) => families.get(name)!.samples.get(labels)
    expect(at('kafka_consumergroup_current_offset', ofPartition('g'))).toBe(1)
    expect(at('kafka_consumergroup_lag', ofPartition('g'))).toBe(4)
    expect(at('kafka_consumergroup_lag', ofPartition('g', 1))).toBe(1)
    expect(at('kafka_consumergroup_lag_sum', ofTopic('g'))).toBe(5)
    expect(at('kafka_consumergroup_current_offset_sum', ofTopic('g'))).toBe(1)
    expect(at(seconds, ofPartition('g'))).toBe(40)
    expect(at(seconds, ofPartition('g', 1))).toBe(7)
    expect(at(maxSeconds, ofTopic('g'))).toBe(40)
    expect(at(seconds, ofPartition('h'))).toBe(20)
    expect(at(seconds, ofPartition('done'))).toBe(0)
    expect(at('kafka_consumergroup_lag', ofPartition('done'))).toBe(0)
    expect(at('millrace_consumer_group_lag_staleness_seconds', '')).toBe(0)
  })

  test('in seconds grows with time, without reading the log again', async () => {
    await busy.produce('t', batchAged(5))
    await busy.commit('g', 't', 0)
    expect(await busy.sample(seconds, ofPartition('g'))).toBe(5)
    const reads = vi.spyOn(PartitionLog.prototype, 'read')
    busy.broker.clock.advance(2000)
    expect(await busy.sample(seconds, ofPartition('g'))).toBe(7)
    expect(reads).not.toHaveBeenCalled()
    reads.mockRestore()
  })

  test('counts from the log start when the next record was deleted', async () => {
    await busy.produce('t', batchAged(50, 40))
    await busy.produce('t', batchAged(30))
    await busy.commit('g', 't', 0)
    expect(await busy.sample(seconds, ofPartition('g'))).toBe(50)
    const partitions = [{ partitionIndex: 0, offset: 2 }]
    await busy.client.send(deleteRecords, 2, { topics: [{ name: 't', partitions }], timeoutMs: 1 })
    expect(await busy.sample(seconds, ofPartition('g'))).toBe(30)
  })

  test('is never below 0 when the clock of a producer is ahead', async () => {
    await busy.produce('t', batchAged(-60))
    await busy.commit('g', 't', 0)
    expect(await busy.sample(seconds, ofPartition('g'))).toBe(0)
  })

  test('is removed with its topic or its group', async () => {
    await busy.produce('t', batchAged(5))
    await busy.commit('g', 't', 0)
    expect(await busy.sample('kafka_consumergroup_lag', ofPartition('g'))).toBe(1)
    const topics = [{ name: 't', topicId: '00000000-0000-0000-0000-000000000000' }]
    await busy.client.send(deleteTopics, 6, { topics, timeoutMs: 1000 })
    const text = await busy.broker.metrics.expose()
    expect(text).not.toContain('topic="t"')
    expect(text).not.toContain('consumergroup="g"')
  })

  test('has no series of partitions with http.metrics.partitions=false, and none above the limits', async () => {
    await busy.stop()
    busy = await BusyBroker.start({
      'http.metrics.partitions': false,
      'http.metrics.max.groups': 1,
      'http.metrics.max.topics': 2,
    })
    await busy.createTopic('t', 2)
    await busy.createTopic('u')
    await busy.commit('g', 't', 0)
    await busy.commit('h', 't', 0)
    const text = await busy.broker.metrics.expose()
    expect(text).not.toContain('partition="')
    expect(text).toContain('kafka_consumergroup_lag_sum{consumergroup="g",topic="t"} 0\n')
    expect(text).not.toContain('consumergroup="h"')
    expect(text).toContain('millrace_broker_metrics_series_left_out{of="groups"} 1\n')
    // t, u and __consumer_offsets.
    expect(text).toContain('millrace_broker_metrics_series_left_out{of="topics"} 1\n')
  })
})
