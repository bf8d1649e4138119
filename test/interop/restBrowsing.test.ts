// Our own routes below /api/v1, over Millrace and over real Kafka: the same records, transaction
// markers, aborted records, groups and resets. And `millrace admin` as a program over Kafka.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { RestFixture } from '../broker/admin/rest/restFixture.ts'
import { type RunningBroker, startKafka, startOurs } from '../differential/brokers.ts'
import { hasKafka } from '../peers/kafka.ts'
import { eventually } from './eventually.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers of any shape
type Body = any

interface Side {
  readonly broker: RunningBroker
  readonly rest: RestFixture
}

const startMs = Date.UTC(2026, 0, 1)

/**
 * Produces two records, an aborted transaction of one record and a committed one of one record:
 * offsets 0 to 5 with the markers.
 */
async function write(address: string): Promise<void> {
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({
    ...{ idempotent: true, transactionalId: 'browsing', maxInFlightRequests: 1 },
  })
  await producer.connect()
  const message = (at: number) => ({
    ...{ key: `k${at}`, value: `{"at":${at}}`, timestamp: String(startMs + at * 1_000) },
    headers: { trace: `t${at}` },
  })
  for (const [messages, end] of [
    [[message(0), message(1)], 'commit'],
    [[message(2)], 'abort'],
    [[message(3)], 'commit'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'visits', messages: [...messages] })
    await transaction[end]()
  }
  await producer.disconnect()
}

describe.runIf(hasKafka())('browsing and resetting over our broker and over Kafka', () => {
  const sides: Side[] = []

  beforeAll(async () => {
    for (const start of [startOurs, startKafka]) {
      const broker = await start()
      const [host, port] = broker.address.split(':')
      const bootstrap = [{ host: host!, port: Number(port) }]
      const rest = await RestFixture.start({ bootstrap, network: tcpNetwork })
      sides.push({ broker, rest })
      await rest.admin.createTopics([
        // The records have a timestamp in the past.
        { name: 'visits', partitions: 1, configs: { 'retention.ms': '-1' } },
      ])
      await eventually('the topic', async () => {
        return (await rest.get('/api/v1/topics/visits')).status === 200
      })
      await write(broker.address)
    }
  }, 240_000)

  afterAll(async () => {
    for (const { rest, broker } of sides) {
      await rest.close()
      await broker.stop()
    }
  })

  /** Returns both answers, without values that depend on the cluster or the time. */
  async function both(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) {
    const answers = []
    for (const { rest } of sides) {
      const request = { method, url, ...(payload === undefined ? {} : { payload }) }
      const { status, body } = await rest.ask<Body>(request)
      const text = JSON.stringify(body ?? null, (name, value) =>
        varying.has(name) ? undefined : value,
      )
      answers.push({ status, body: JSON.parse(text) as Body })
    }
    expect(answers[0], url).toEqual(answers[1])
    return answers[0]!
  }
  const varying = new Set([
    ...['request_id', 'message', 'producer_id', 'coordinator', 'leader', 'replicas'],
    ...['in_sync_replicas', 'topic_id', 'size_bytes', 'lag_seconds', 'max_lag_seconds'],
    ...['bytes_fetched'],
  ])
  const records = '/api/v1/topics/visits/records'

  it('shows the same records, in both isolation levels', async () => {
    const all = await both('GET', `${records}?order=oldest`)
    expect(all.body.data.map(({ offset }: Body) => offset)).toEqual([0, 1, 3, 5])
    expect(all.body.scan).toMatchObject({ offsets_scanned: 7, records_read: 4, stopped_by: 'end' })
    const committed = await both('GET', `${records}?order=oldest&isolation=read_committed`)
    expect(committed.body.data.map(({ offset }: Body) => offset)).toEqual([0, 1, 5])
    await both('GET', `${records}?limit=2`)
    await both('GET', `${records}?from_time=2026-01-01T00:00:01Z`)
    await both('GET', `${records}?key=k3`)
    await both('GET', '/api/v1/topics/visits')
  })

  it('returns the same errors for resources that do not exist', async () => {
    const at = (offset: number, more = '') =>
      both('GET', `/api/v1/topics/visits/partitions/0/records/${offset}${more}`)
    expect((await at(0)).body).toMatchObject({ value: { data: { at: 0 } } })
    expect(await at(2)).toMatchObject({ status: 404, body: { code: 'NO_RECORD_AT_OFFSET' } })
    const aborted = await at(3, '?isolation=read_committed')
    expect(aborted).toMatchObject({ status: 404, body: { code: 'NO_RECORD_AT_OFFSET' } })
    expect((await at(7)).body).toMatchObject({ code: 'OFFSET_NOT_WRITTEN' })
    expect((await both('GET', '/api/v1/topics/nothing/records')).status).toBe(404)
    expect((await both('GET', '/api/v1/groups/nobody')).status).toBe(404)
    expect((await both('DELETE', '/api/v1/groups/nobody')).status).toBe(404)
  })

  it('previews and executes the same resets', async () => {
    const url = '/api/v1/groups/readers/offsets:reset'
    const topics = [{ topic: 'visits' }]
    await both('POST', url, { to: 'latest', topics, execute: true })
    await both('GET', '/api/v1/groups/readers/offsets')
    const preview = await both('POST', url, { to: 'shift_by', shift_by: -4 })
    expect(preview.body).toMatchObject({ read_again: 4, skipped: 0, executed: false })
    const { preview_token } = preview.body
    await both('POST', url, { to: 'shift_by', shift_by: -4, execute: true, preview_token })
    const again = { to: 'shift_by', shift_by: -4, execute: true, preview_token }
    expect((await both('POST', url, again)).body).toMatchObject({ code: 'PREVIEW_OUTDATED' })
    const offsets = await both('GET', '/api/v1/groups/readers/offsets')
    expect(offsets.body).toMatchObject({ total_lag: 4, data: [{ committed_offset: 3 }] })
    await both('DELETE', '/api/v1/groups/readers/offsets?topic=visits')
    const deletion = { partitions: [{ partition: 0, before_offset: 1 }] }
    await both('POST', '/api/v1/topics/visits/records:delete', deletion)
    const removed = '/api/v1/topics/visits/partitions/0/records/0'
    expect((await both('GET', removed)).body).toMatchObject({ code: 'OFFSET_REMOVED' })
  })

  it('is served by millrace admin', async () => {
    const program = join(import.meta.dirname, '../../millrace.ts')
    const words = ['admin', '--bootstrap', sides[1]!.broker.address, '--port', '0']
    const admin = spawn(process.execPath, [program, ...words], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      const [line] = await once(createInterface({ input: admin.stdout }), 'line')
      const [, address] = /console at (\S+),/.exec(line)!
      await eventually('the topics of Kafka on the console', async () => {
        const status: Body = await (await fetch(`${address}api/v1/status`)).json()
        return status.topics.some(({ name }: Body) => name === 'visits')
      })
      expect((await fetch(`${address}ready`)).status).toBe(200)
      expect((await fetch(`${address}api/v1/topics/visits/records`)).status).toBe(200)
    } finally {
      const exited = once(admin, 'exit')
      admin.kill('SIGTERM')
      await exited
    }
  }, 60_000)
})
