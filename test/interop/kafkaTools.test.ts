// The command-line tools of Kafka that operators use most, against the broker.
// test/peers/tools.ts runs all of them, also against a real Kafka.

import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasKafka } from '../peers/kafka.ts'
import { Side } from '../peers/kafkaTools/side.ts'
import { TestBroker } from './testBroker.ts'

/** The first use downloads Kafka from Maven Central. */
const downloadTimeoutMs = 180_000

describe.runIf(hasKafka())("Kafka's own tools", () => {
  let broker: TestBroker
  let tools: Side

  beforeAll(async () => {
    broker = await TestBroker.start({ 'num.partitions': 1 })
    const { address, directory } = broker
    tools = new Side({ address, dataFolder: directory, filesFolder: tmpdir() })
    await run('kafka-cluster cluster-id')
  }, downloadTimeoutMs)

  afterAll(async () => {
    await tools?.stop()
    await broker?.stop()
  })

  /** Returns the lines that the tool printed, with single spaces between columns. */
  const run = async (line: string, input = ''): Promise<string[]> => {
    const { code, stdout, stderr } = await tools.run(line, input)
    if (code !== 0) throw new Error(`${line} ended with ${code}: ${stdout}${stderr}`)
    const lines = stdout.split('\n').map((text) => text.replace(/\s+/g, ' ').trim())
    return lines.filter((text) => text !== '')
  }

  it('create, describe, widen and delete topics', async () => {
    const config = '--config retention.ms=86400000'
    await run(`kafka-topics --create --topic orders --partitions 2 ${config}`)
    await run('kafka-topics --alter --topic orders --partitions 3')
    const [head, ...partitions] = await run('kafka-topics --describe --topic orders')
    expect(head).toMatch(/PartitionCount: 3 .*Configs: retention.ms=86400000/)
    expect(partitions.map((line) => line.replace(/ Elr.*/, ''))).toEqual(
      [0, 1, 2].map((id) => `Topic: orders Partition: ${id} Leader: 1 Replicas: 1 Isr: 1`),
    )
    await run('kafka-topics --delete --topic orders')
    expect(await run('kafka-topics --list')).not.toContain('orders')
  })

  it('change configurations of topics and of the broker', async () => {
    await run('kafka-topics --create --topic settings')
    const describeTopic = () =>
      run('kafka-configs --describe --entity-type topics --entity-name settings')
    const alterTopic = 'kafka-configs --alter --entity-type topics --entity-name settings'
    await run(`${alterTopic} --add-config cleanup.policy=[compact,delete],retention.ms=1000`)
    await run(`${alterTopic} --delete-config retention.ms`)
    expect(await describeTopic()).toEqual([
      'Dynamic configs for topic settings are:',
      expect.stringMatching(/^cleanup.policy=compact,delete .*DYNAMIC_TOPIC_CONFIG/),
    ])
    const broker1 = '--entity-type brokers --entity-name 1'
    await run(`kafka-configs --alter ${broker1} --add-config message.max.bytes=2000000`)
    const [, described] = await run(`kafka-configs --describe ${broker1}`)
    expect(described).toMatch(/^message.max.bytes=2000000 .*DYNAMIC_BROKER_CONFIG/)
  })

  for (const protocol of ['classic', 'consumer']) {
    it(`carry lines through a ${protocol} group, and set its offsets`, async () => {
      const topic = `lines-${protocol}`
      const group = `group-${protocol}`
      const keyed = '--property parse.key=true --property key.separator=:'
      await run(`kafka-console-producer --topic ${topic} ${keyed}`, 'a:1\nb:2\nc:3\n')
      const consume = [
        `kafka-console-consumer --topic ${topic} --group ${group} --from-beginning`,
        `--max-messages 2 --property print.key=true --property key.separator=:`,
        `--consumer-property group.protocol=${protocol}`,
      ].join(' ')
      expect(await run(consume)).toEqual(['a:1', 'b:2'])
      const describeGroup = async () =>
        (await run(`kafka-consumer-groups --describe --group ${group}`)).at(-1)
      expect(await describeGroup()).toBe(`${group} ${topic} 0 2 3 1 - - -`)
      await run(
        `kafka-consumer-groups --reset-offsets --group ${group} --topic ${topic} --shift-by -1 --execute`,
      )
      expect(await describeGroup()).toBe(`${group} ${topic} 0 1 3 2 - - -`)
      expect(await run(consume)).toEqual(['b:2', 'c:3'])
      const list = await run('kafka-consumer-groups --list --state --type')
      const type = protocol === 'classic' ? 'Classic' : 'Consumer'
      expect(list).toContain(`${group} ${type} Empty`)
    })
  }

  it('show transactions, and read the files that they leave', async () => {
    await run('kafka-topics --create --topic paid --config index.interval.bytes=1')
    await run(
      'kafka-producer-perf-test --topic paid --num-records 5 --record-size 10 --throughput -1 --transactional-id till --transaction-duration-ms 60000 --producer-props bootstrap.servers=BROKER',
    )
    const [, listed] = await run('kafka-transactions list')
    expect(listed).toMatch(/^till 1 \d+ CompleteCommit$/)
    const isolation = '--isolation-level read_committed'
    const consumed = `kafka-console-consumer --topic paid --from-beginning --max-messages 5 ${isolation}`
    expect(await run(consumed)).toHaveLength(5)
    // The files are complete once the broker has stopped: indexes then, the last records within a
    // second.
    await broker.restart()
    const segment = 'DATA/paid-0/00000000000000000000'
    const dump = await run(`kafka-dump-log --files ${segment}.log --print-data-log`)
    const batches = dump.filter((line) => line.startsWith('baseOffset'))
    expect(batches.every((line) => line.endsWith('isvalid: true'))).toBe(true)
    expect(batches.at(-1)).toMatch(/baseOffset: 5 .*isTransactional: true isControl: true/)
    expect(dump.at(-1)).toContain('endTxnMarker: COMMIT')
    await run(`kafka-dump-log --files ${segment}.index --index-sanity-check`)
    await run(`kafka-dump-log --files ${segment}.timeindex --index-sanity-check`)
  })
})
