// The metrics of requests, connections and topics count exactly what happened.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import { batchOf } from '../server/memoryBroker.ts'
import { BusyBroker } from './busyBroker.ts'

const values = Array.from({ length: 100 }, (_, number) => String(number))
const t = '{topic="t"}'
const topics = 'kafka_server_brokertopicmetrics'

let busy: BusyBroker

beforeEach(async () => {
  busy = await BusyBroker.start()
  await busy.createTopic('t')
})

afterEach(() => busy.stop())

describe('traffic of a topic', () => {
  test('counts records and bytes in and out', async () => {
    const batch = batchOf(...values)
    await busy.produce('t', Buffer.from(batch))
    await busy.fetch('t')
    await busy.fetch('t', 50)
    const families = await busy.families()
    const of = (name: string) => families.get(name)!.samples.get(t)
    expect(of(`${topics}_messagesin_total`)).toBe(100)
    expect(of(`${topics}_bytesin_total`)).toBe(batch.length)
    expect(of(`${topics}_bytesout_total`)).toBe(2 * batch.length)
    expect(of('millrace_broker_topic_records_out_total')).toBe(200)
    expect(of(`${topics}_totalproducerequests_total`)).toBe(1)
    expect(of(`${topics}_failedproducerequests_total`)).toBe(0)
    expect(of('millrace_broker_topic_log_bytes')).toBe(batch.length)
    expect(of('kafka_topic_partitions')).toBe(1)
    const partition = '{topic="t",partition="0"}'
    const at = (name: string) => families.get(name)!.samples.get(partition)
    expect(at('kafka_topic_partition_current_offset')).toBe(100)
    expect(at('kafka_topic_partition_oldest_offset')).toBe(0)
    expect(at('kafka_log_log_logendoffset')).toBe(100)
    expect(at('kafka_log_log_size')).toBe(batch.length)
    expect(at('kafka_topic_partition_leader')).toBe(1)
    expect(at('kafka_topic_partition_under_replicated_partition')).toBe(0)
  })

  test('counts refused appends, and excludes them from records and bytes in', async () => {
    const broken = batchOf('a')
    broken[broken.length - 1]! ^= 1
    expect(await busy.produce('t', broken)).toBe(ErrorCode.corruptMessage)
    await busy.fetch('t', 7)
    const families = await busy.families()
    const of = (name: string) => families.get(name)!.samples.get(t)
    expect(of(`${topics}_failedproducerequests_total`)).toBe(1)
    expect(of(`${topics}_bytesrejected_total`)).toBe(broken.length)
    expect(of(`${topics}_failedfetchrequests_total`)).toBe(1)
    expect(of(`${topics}_messagesin_total`)).toBe(0)
  })

  test('creates no series for topics that do not exist', async () => {
    await busy.produce('no-such-topic', batchOf('a'))
    await busy.fetch('no-such-topic')
    expect(await busy.broker.metrics.expose()).not.toContain('no-such-topic')
  })
})

describe('requests', () => {
  const counted = (api: string) => busy.sample('millrace_broker_requests_total', labelText({ api }))
  const errors = (api: string, error: string) =>
    busy.sample('millrace_broker_request_errors_total', labelText({ api, error }))

  test('are counted by API, with their bytes', async () => {
    for (const value of ['a', 'b', 'c']) await busy.produce('t', batchOf(value))
    expect(await counted('Produce')).toBe(3)
    const families = await busy.families()
    const ofProduce = (name: string) => families.get(name)!.samples.get('{api="Produce"}')!
    expect(ofProduce('millrace_broker_request_bytes_total')).toBeGreaterThan(3 * 80)
    expect(ofProduce('millrace_broker_response_bytes_total')).toBeGreaterThan(3 * 20)
    const latency = families.get('millrace_broker_request_latency_seconds')!.samples
    expect(latency.get('_count{api="Produce"}')).toBe(3)
    expect(latency.get('_bucket{api="Produce",le="+Inf"}')).toBe(3)
  })

  test('have their error codes counted, at any place of the response', async () => {
    await busy.produce('missing', batchOf('a'))
    expect(await errors('Produce', 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(1)
    const partitions = [{ partitionIndex: 5, timestamp: -1, currentLeaderEpoch: -1 }]
    await busy.client.send(listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions }],
    })
    expect(await errors('ListOffsets', 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(1)
    await busy.client.send(describeGroups, 6, { groups: ['x', 'y'] })
    expect(await errors('DescribeGroups', 'GROUP_ID_NOT_FOUND')).toBe(2)
    expect(await errors('Produce', 'NONE')).toBeUndefined()
  })

  test('that wait for records are counted as waiting, not as handling', async () => {
    const waiting = busy.fetch('t', 0, 60_000)
    await settle()
    expect(await busy.sample('millrace_broker_fetches_waiting')).toBe(1)
    expect(await busy.sample('millrace_broker_requests_pending')).toBe(1)
    busy.broker.clock.advance(3000)
    const other = await busy.broker.client()
    await busy.produceBy(other, 't')
    await waiting
    const families = await busy.families()
    expect(families.get('millrace_broker_fetches_waiting')!.samples.get('')).toBe(0)
    const phases = families.get('millrace_broker_request_phase_seconds')!.samples
    expect(phases.get('_sum{api="Fetch",phase="wait"}')).toBe(3)
    expect(phases.get('_sum{api="Fetch",phase="local"}')).toBe(0)
    const latency = families.get('millrace_broker_request_latency_seconds')!.samples
    expect(latency.get('_sum{api="Fetch"}')).toBe(3)
  })

  test('without an answer are counted as well', async () => {
    busy.client.sendOnly(produce, 12, {
      acks: 0,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf('a') }] }],
    })
    await busy.fetch('t')
    expect(await counted('Produce')).toBe(1)
    const latency = (await busy.families()).get('millrace_broker_request_latency_seconds')!
    expect(latency.samples.get('_count{api="Produce"}')).toBe(1)
  })
})

describe('connections', () => {
  const closed = (reason: string) =>
    busy.sample('millrace_broker_connections_closed_total', labelText({ reason }))
  const open = () => busy.sample('millrace_broker_connections', '{listener="MEMORY"}')

  test('are counted while open, and by reason when they close', async () => {
    const { broker } = busy
    expect(await open()).toBe(1)
    const [leaving, malformed] = [await broker.client(), await broker.client()]
    expect(await open()).toBe(3)
    leaving.close()
    await leaving.closed
    malformed.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await malformed.closed
    expect(await open()).toBe(1)
    expect(await closed('client')).toBe(1)
    expect(await closed('malformed')).toBe(1)
    const accepted = 'millrace_broker_connections_accepted_total'
    expect(await busy.sample(accepted, '{listener="MEMORY"}')).toBe(3)
  })

  test('above the limit are counted by the option that set it', async () => {
    const { broker } = busy
    await broker.client()
    await broker.client()
    const refused = await broker.client()
    await refused.closed
    const limit = '{limit="max.connections"}'
    expect(await busy.sample('millrace_broker_connections_refused_total', limit)).toBe(1)
  })
})

describe('transactions', () => {
  test('are counted while they are open, with the age of the oldest, and when they end', async () => {
    await busy.transaction('committed', true)
    await busy.transaction('aborted', false)
    await busy.transaction('open')
    busy.broker.clock.advance(1000)
    const families = await busy.families()
    const at = (name: string, labels = '') => families.get(name)!.samples.get(labels)
    expect(at('millrace_broker_transactions_open')).toBe(1)
    expect(at('millrace_broker_transaction_oldest_age_seconds')).toBe(1)
    expect(at('millrace_broker_transactional_ids', '{state="Ongoing"}')).toBe(1)
    expect(at('millrace_broker_transactional_ids', '{state="CompleteAbort"}')).toBe(1)
    expect(at('millrace_broker_transactions_ended_total', '{outcome="committed"}')).toBe(1)
    expect(at('millrace_broker_transactions_ended_total', '{outcome="aborted"}')).toBe(1)
    expect(at('kafka_cluster_partition_laststableoffsetlag', '{topic="t",partition="0"}')).toBe(1)
  })

  test('that outlive their timeout are aborted, and counted', async () => {
    await busy.transaction('late')
    await busy.broker.clock.advanceAndSettle(20_000)
    await settle()
    expect(await busy.sample('millrace_broker_transactions_timed_out_total')).toBe(1)
    expect(await busy.sample('millrace_broker_transactions_open')).toBe(0)
    expect(await busy.sample('millrace_broker_transaction_oldest_age_seconds')).toBe(0)
  })
})

describe('syncs', () => {
  test('are counted with the appends that share them', async () => {
    await busy.stop()
    busy = await BusyBroker.start({ 'flush.journal.file.bytes': 0 })
    await busy.createTopic('t')
    const batch = batchOf('a')
    await busy.produce('t', Buffer.from(batch))
    const syncs = (await busy.families()).get('millrace_broker_sync_bytes')!.samples
    const labels = '{directory="/data",kind="segment"}'
    expect(syncs.get(`_count${labels}`)).toBe(1)
    expect(syncs.get(`_sum${labels}`)).toBe(batch.length)
  })

  test('of the journal are counted as its own', async () => {
    await busy.produce('t', batchOf('a'))
    const syncs = (await busy.families()).get('millrace_broker_sync_appends')!.samples
    expect(syncs.get('_sum{directory="/data",kind="journal"}')).toBe(1)
    expect(syncs.get('_count{directory="/data",kind="segment"}')).toBe(0)
  })
})
