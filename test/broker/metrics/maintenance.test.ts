// The metrics of log maintenance, and of a failed data directory.

import { expect, test } from 'vitest'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { batchOf } from '../server/memoryBroker.ts'
import { BusyBroker } from './busyBroker.ts'

const data = '{directory="/data"}'

async function configure(busy: BusyBroker, name: string, value: string): Promise<void> {
  const configs = [{ name, configOperation: 0, value }]
  const resources = [{ resourceType: 2, resourceName: 't', configs }]
  await busy.client.send(incrementalAlterConfigs, 1, { resources, validateOnly: false })
}

async function fill(busy: BusyBroker): Promise<void> {
  for (let count = 0; count < 20; count++) await busy.produce('t', batchOf('x'.repeat(500)))
}

test('segments that retention deletes are counted, with their bytes', async () => {
  const busy = await BusyBroker.start({ 'log.segment.bytes': 2000 })
  await busy.createTopic('t')
  await fill(busy)
  const before = (await busy.sample('millrace_broker_topic_log_bytes', '{topic="t"}'))!
  expect(await busy.sample('millrace_broker_deleted_segments_total', data)).toBe(0)
  await configure(busy, 'retention.bytes', '2000')
  await busy.broker.clock.advanceAndSettle(10 * 60_000)
  await settle()
  const left = (await busy.sample('millrace_broker_topic_log_bytes', '{topic="t"}'))!
  expect(left).toBeLessThan(before)
  expect(await busy.sample('millrace_broker_deleted_segment_bytes_total', data)).toBe(before - left)
  expect(await busy.sample('millrace_broker_deleted_segments_total', data)).toBeGreaterThan(0)
  await busy.stop()
})

test('partitions of a failed directory are offline, and its disk has the highest level', async () => {
  const busy = await BusyBroker.start({ 'log.dirs': '/one,/two' })
  await busy.createTopic('t', 2)
  const { broker } = busy
  await broker.stop()
  await broker.disk.rename('/two', '/taken-away')
  await (await broker.disk.open('/two', 'write')).close()
  await broker.start()
  const families = await busy.families()
  const at = (name: string, labels = '') => families.get(name)!.samples.get(labels)
  expect(at('millrace_broker_directory_failed', '{directory="/one"}')).toBe(0)
  expect(at('millrace_broker_directory_failed', '{directory="/two"}')).toBe(1)
  expect(at('millrace_broker_disk_alert_level', '{directory="/one"}')).toBe(0)
  expect(at('millrace_broker_disk_alert_level', '{directory="/two"}')).toBe(2)
  expect(at('millrace_broker_disk_free_bytes', '{directory="/two"}')).toBeUndefined()
  const offline = at('kafka_controller_kafkacontroller_offlinepartitionscount')!
  expect(offline).toBeGreaterThanOrEqual(1)
  expect(at('kafka_controller_kafkacontroller_globalpartitioncount')).toBe(
    at('kafka_server_replicamanager_leadercount')! + offline,
  )
  await busy.stop()
})

test('a compacted log is counted as cleaned, with the bytes before and after', async () => {
  const busy = await BusyBroker.start({ 'log.segment.bytes': 2000 })
  await busy.createTopic('t')
  const keyed = () => {
    const builder = new RecordBatchBuilder({})
    builder.append(1_000_000, Buffer.from('key'), Buffer.from('x'.repeat(500)))
    return builder.build()
  }
  await configure(busy, 'cleanup.policy', 'compact')
  for (let count = 0; count < 20; count++) await busy.produce('t', keyed())
  const before = (await busy.sample('millrace_broker_topic_log_bytes', '{topic="t"}'))!
  await busy.broker.clock.advanceAndSettle(60_000)
  await settle()
  const families = await busy.families()
  const at = (name: string, labels = '') => families.get(name)!.samples.get(labels)
  expect(at('millrace_broker_cleaner_runs_total', '{outcome="cleaned"}')).toBeGreaterThan(0)
  expect(at('millrace_broker_cleaner_runs_total', '{outcome="failed"}')).toBe(0)
  const read = at('millrace_broker_cleaner_read_bytes_total')!
  const written = at('millrace_broker_cleaner_written_bytes_total')!
  expect(before - at('millrace_broker_topic_log_bytes', '{topic="t"}')!).toBe(read - written)
  expect(written).toBeLessThan(read)
  expect(at('millrace_broker_cleaner_backlog_bytes')).toBe(0)
  await busy.stop()
})
