// confluent-kafka from PyPI, with its own librdkafka: the classic group protocol and that of
// KIP-848, subscriptions by regular expression, transactions.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { confluentEnvironment, debianPython, hasTool } from '../tools.ts'
import { ScenarioProcess } from './scenarioProcess.ts'
import { TestBroker } from './testBroker.ts'

describe.runIf(hasTool('confluent-kafka'))('confluent-kafka', () => {
  let broker: TestBroker
  let client: ScenarioProcess

  beforeAll(async () => {
    broker = await TestBroker.start({ 'group.consumer.heartbeat.interval.ms': 500 })
    const script = join(import.meta.dirname, 'confluent_client.py')
    const child = spawn(debianPython, [script, broker.address], { env: confluentEnvironment })
    client = new ScenarioProcess(child)
  })

  afterAll(async () => {
    await client?.stop()
    await broker?.stop()
  })

  it('lists topics', async () => {
    expect(await client.run('list_topics')).toEqual({
      brokers: [1],
      listed: true,
      partitions: [0, 1, 2],
    })
  })

  it('describes configs', async () => {
    expect(await client.run('configs')).toEqual({ 'log.cleaner.backoff.ms': '15000' })
  })

  it('subscribes by a regular expression, in the classic group protocol', async () => {
    expect(await client.run('regex_subscription')).toEqual({ first: ['first'], late: ['late'] })
  })

  it('commits and aborts transactions, and is fenced', async () => {
    expect(await client.run('transactions')).toEqual({
      out: ['A', 'B'],
      committed: 2,
      fenced: '_FENCED',
    })
  })

  it('shares partitions in the group protocol of KIP-848', async () => {
    expect(await client.run('consumer_protocol')).toEqual({
      shares: [2, 2],
      seen: true,
      after: 4,
      type: 'CONSUMER',
      members: 1,
    })
  })

  it('subscribes by a regular expression, in the group protocol of KIP-848', async () => {
    expect(await client.run('consumer_protocol_pattern')).toEqual({
      first: ['first'],
      late: ['late'],
    })
  })
})
