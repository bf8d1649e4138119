// Sampled topics of a cluster in other processes: known and unknown figures.

import { expect, test } from 'vitest'
import { exposeSampledTopics } from '../../../broker/admin/adminExposure.ts'
import { Board } from '../../../broker/admin/board/board.ts'
import { SampledTopics } from '../../../broker/admin/sampledTopics.ts'
import type { Admin, TopicDescription } from '../../../protocol/client/admin.ts'
import { OffsetSpec } from '../../../protocol/client/admin.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

/** A cluster with one topic of two partitions; the second one answers only when allowed to. */
class TwoPartitions {
  answersAll = false
  isAway = false

  async describeTopics(): Promise<TopicDescription[]> {
    if (this.isAway) throw new Error('no broker answers')
    const partition = (at: number) => ({ partition: at, leader: at + 1 })
    const partitions = [partition(0), partition(1)]
    const topic = { name: 'orders', topicId: 'id', isInternal: false, partitions }
    return [topic as unknown as TopicDescription]
  }

  async findOffsets(asked: readonly { topic: string; partition: number; at: number }[]) {
    return asked.map(({ topic, partition, at }) => {
      const isKnown = partition === 0 || this.answersAll
      const errorCode = isKnown ? 0 : ErrorCode.notLeaderOrFollower
      const offset = at === OffsetSpec.latest ? 70 : 20
      return { topic, partition, errorCode, offset: isKnown ? offset : -1 }
    })
  }

  async describeLogDirs(): Promise<never> {
    throw new Error('not allowed')
  }
}

test('unknown values are null, not 0, also on the board', async () => {
  const cluster = new TwoPartitions()
  const clock = new ManualClock()
  const topics = new SampledTopics(cluster as unknown as Admin, clock, new MemoryLogger())
  topics.start()
  await expect.poll(() => topics.count).toBe(1)
  expect(topics.topics()).toMatchObject([
    {
      messagesInTotal: null,
      partitions: [
        { logStartOffset: 20, highWatermark: 70, sizeBytes: null, isOffline: false },
        { logStartOffset: null, highWatermark: null, sizeBytes: null, isOffline: true },
      ],
    },
  ])
  const board = new Board()
  board.count(topics.topics(), clock.nowMs())
  expect(board.tick(clock.nowMs()).topics).toMatchObject([
    { records: null, recordsPerSecond: null, offlinePartitions: 1 },
  ])

  cluster.answersAll = true
  clock.advance(60_000)
  await expect.poll(() => topics.topics()[0]?.messagesInTotal).toBe(140)
  board.count(topics.topics(), clock.nowMs())
  expect(board.tick(clock.nowMs()).topics).toMatchObject([{ records: 140, offlinePartitions: 0 }])
  await topics.stop()
})

test('metrics say whether the cluster answers, and how old the topics are', async () => {
  const cluster = new TwoPartitions()
  const clock = new ManualClock()
  const topics = new SampledTopics(cluster as unknown as Admin, clock, new MemoryLogger())
  const metrics = new Metrics()
  exposeSampledTopics(metrics, topics)
  const exposed = async () =>
    (await metrics.expose()).split('\n').filter((line) => line.startsWith('millrace_admin'))
  expect(await exposed()).toEqual(['millrace_admin_cluster_reachable 0', 'millrace_admin_topics 0'])
  topics.start()
  await expect.poll(() => topics.count).toBe(1)
  clock.advance(1_500)
  const answering = ['millrace_admin_cluster_reachable 1', 'millrace_admin_topics_age_seconds 1.5']
  expect(await exposed()).toEqual([...answering, 'millrace_admin_topics 1'])
  cluster.isAway = true
  clock.advance(30_000)
  await expect
    .poll(async () => {
      clock.advance(5_000)
      return (await exposed())[0]
    })
    .toBe('millrace_admin_cluster_reachable 0')
  await topics.stop()
})
