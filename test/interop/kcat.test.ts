// librdkafka against the broker, through kcat: every codec, consumption by partition and by group.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasTool } from '../tools.ts'
import { eventually } from './eventually.ts'
import { kcat, startKcat } from './kcat.ts'
import { TestBroker } from './testBroker.ts'

const lines = Array.from({ length: 500 }, (_, index) => `line ${index} of a log`)

describe.runIf(hasTool('kcat'))('kcat', () => {
  let broker: TestBroker

  beforeAll(async () => {
    broker = await TestBroker.start({ 'num.partitions': 1 })
  })

  afterAll(() => broker?.stop())

  const produce = (topic: string, args: string[], input: readonly string[]) =>
    kcat(['-b', broker.address, '-P', '-t', topic, ...args], input.join('\n'))

  const consume = async (topic: string, args: string[] = []) => {
    const output = await kcat([
      ...['-b', broker.address, '-C', '-t', topic, '-o', 'beginning', '-e', '-q'],
      ...args,
    ])
    return output.trimEnd().split('\n')
  }

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    it(`carries ${codec} from producer to consumer`, async () => {
      await produce(`codec-${codec}`, ['-z', codec], lines)
      expect(await consume(`codec-${codec}`)).toEqual(lines)
    })
  }

  it('keeps keys, headers, tombstones and offsets', async () => {
    await produce('keyed', ['-K:', '-Z', '-H', 'host=h1'], ['a:1', 'b:2', 'a:'])
    const format = ['-f', '%o %k %S %h\n']
    expect(await consume('keyed', format)).toEqual([
      '0 a 1 host=h1',
      '1 b 1 host=h1',
      '2 a -1 host=h1',
    ])
  })

  it('produces idempotently', async () => {
    await produce('idempotent', ['-X', 'enable.idempotence=true'], lines)
    expect(await consume('idempotent')).toEqual(lines)
  })

  it('finds offsets by timestamp', async () => {
    await produce('timed', [], ['first'])
    const before = Date.now() + 1
    await eventually('the clock moves on', () => Date.now() > before)
    await produce('timed', [], ['second'])
    const query = (time: number) => kcat(['-b', broker.address, '-Q', '-t', `timed:0:${time}`])
    expect(await query(0)).toContain('offset 0')
    expect(await query(before)).toContain('offset 1')
    expect(await query(-1)).toContain('offset 2')
    expect(await query(-2)).toContain('offset 0')
  })

  it('shares a topic between the members of a group, and continues from committed offsets', async () => {
    const admin = ['-b', broker.address]
    // Created by kafkajs with four partitions, because kcat creates topics with the default number.
    const { Kafka, logLevel } = await import('kafkajs')
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    const topics = kafka.admin()
    await topics.connect()
    await topics.createTopics({ topics: [{ topic: 'shared', numPartitions: 4 }] })
    await topics.disconnect()

    const seen: Set<string>[] = [new Set(), new Set()]
    const join = (index: number) =>
      startKcat(
        [
          ...admin,
          ...['-G', 'kcat-group', '-q', '-u', '-f', '%p %s\n'],
          ...['-X', 'auto.offset.reset=earliest', '-X', 'session.timeout.ms=6000', 'shared'],
        ],
        (line) => seen[index]!.add(line),
      )
    const members = [join(0), join(1)]
    let sent = 0
    const partitionsOf = (index: number) =>
      new Set([...seen[index]!].map((line) => line.split(' ')[0]))
    await eventually('both members read', async () => {
      const batch = Array.from({ length: 8 }, () => `k${sent}:v${sent++}`)
      await produce('shared', ['-K:'], batch)
      return partitionsOf(0).size > 0 && partitionsOf(1).size > 0
    })
    await eventually('everything is read', () => seen[0]!.size + seen[1]!.size >= sent)
    const values = [...seen[0]!, ...seen[1]!].map((line) => line.split(' ')[1])
    expect(new Set(values).size).toBe(sent)
    await Promise.all(members.map((member) => member.stop()))

    await produce('shared', ['-K:'], ['last:last'])
    const rest = await kcat([
      ...[...admin, '-G', 'kcat-group', '-q', '-e'],
      ...['-X', 'auto.offset.reset=earliest', 'shared'],
    ])
    expect(rest.trimEnd().split('\n')).toEqual(['last'])
  })
})
