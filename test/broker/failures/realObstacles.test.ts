// Obstacles on a real disk, as they occurred: a directory at the path of a checkpoint's temporary
// file, a file at the path of a partition's directory, and too few file descriptors.

import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { eventually } from '../../interop/eventually.ts'
import { TestBroker } from '../../interop/testBroker.ts'
import { RawClient } from '../server/memoryBroker.ts'
import { AdminRequests } from './adminRequests.ts'
import { BrokerProcess } from './brokerProcess.ts'

let broker: TestBroker
let admin: AdminRequests
let client: RawClient
let child: BrokerProcess | undefined

async function connect(): Promise<void> {
  const address = { host: '127.0.0.1', port: broker.port }
  client = new RawClient(await tcpNetwork.connect(address, 5000))
  admin = new AdminRequests(client)
}

beforeEach(async () => {
  broker = await TestBroker.start()
  await connect()
})

afterEach(async () => {
  await child?.kill()
  child = undefined
  client.close()
  await broker.stop()
})

test('the records of a recreated topic survive a deletion that could not be completed', async () => {
  expect(await admin.createTopics(['orders', 1], ['other', 1])).toEqual([0, 0])
  for (let count = 0; count < 9; count++) {
    expect(await admin.produce('other', 0, ['x'.repeat(100_000)])).toBe(0)
  }
  expect(await admin.produce('orders', 0, ['old'])).toBe(0)
  const inTheWay = join(broker.directory, 'recovery-point-offset-checkpoint.tmp')
  await mkdir(inTheWay)
  expect(await admin.deleteTopics('orders')).toEqual([0])
  expect((await admin.createTopics(['orders', 1])).map(errorName)).toEqual(['TOPIC_ALREADY_EXISTS'])
  await rmdir(inTheWay)
  await eventually(
    'the name is free',
    async () => (await admin.createTopics(['orders', 1]))[0] === 0,
  )
  for (const value of ['a', 'b', 'c']) expect(await admin.produce('orders', 0, [value])).toBe(0)
  client.close()
  await broker.restart()
  await connect()
  expect(await admin.read('orders', 0)).toEqual(['a', 'b', 'c'])
  const names = await readdir(broker.directory)
  expect(names.filter((name) => name.includes('delete'))).toEqual([])
})

test('a partition with a file at its path is created when the file is removed', async () => {
  const inTheWay = join(broker.directory, 'orders-1')
  await writeFile(inTheWay, 'not a directory')
  expect(await admin.createTopics(['orders', 2], ['other', 1])).toEqual([0, 0])
  const { partitions } = await admin.describeTopic('orders')
  expect(partitions.map(errorName)).toEqual(['NONE', 'LEADER_NOT_AVAILABLE'])
  await rm(inTheWay)
  await eventually('it takes records', async () => (await admin.produce('orders', 1, ['a'])) === 0)
})

test('a topic created without free file descriptors gets all its partitions later', async () => {
  const data = join(broker.directory, 'other')
  const config = join(broker.directory, 'server.properties')
  await writeFile(config, '')
  const maxOpenFiles = 256
  const process = await BrokerProcess.start({ data, config, maxOpenFiles })
  child = process
  const few = new AdminRequests(await process.client())
  expect(await few.topicNames()).toEqual([])
  // More clients than the process has file descriptors for: they occupy all that are left.
  const idle = await Promise.all(Array.from({ length: 300 }, () => process.client()))
  // A client is connected before the broker has accepted it.
  const isExhausted = async () => (await process.openFiles()) >= maxOpenFiles - 1
  await eventually('no file descriptor is left', isExhausted)
  expect((await few.createTopics(['orders', 20])).map(errorName)).toEqual(['NONE'])
  const { partitions } = await few.describeTopic('orders')
  expect(new Set(partitions.map(errorName))).toContain('LEADER_NOT_AVAILABLE')
  for (const each of idle) each.close()
  const writes = async () => {
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, partition) => few.produce('orders', partition, ['a'])),
    )
    return codes.every((code) => code === 0)
  }
  await eventually('all partitions take records', writes)
  expect(await process.stop()).toEqual({ code: 0, said: [] })
})
