import { describe, expect, test } from 'vitest'
import { startAgent } from '../../../agent/agent.ts'
import { agentMetrics, exposeAgent } from '../../../agent/monitoring/agentMetrics.ts'
import { prometheusName } from '../../../agent/monitoring/flumeMetrics.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { drive } from '../../protocol/client/drive.ts'
import { breaches } from '../../protocol/telemetry/namingRules.ts'
import { checkMetrics, hasPromtool } from '../../protocol/telemetry/promtool.ts'
import { samplesOf } from '../../protocol/telemetry/samples.ts'
import { AgentRig, tailToKafka } from '../agentRig.ts'

test.each([
  ['source', 'EventReceivedCount', 'flume_source_event_received_total'],
  ['source', 'EventReadFail', 'flume_source_event_read_fail_total'],
  ['channel', 'ChannelSize', 'flume_channel_size'],
  ['channel', 'ChannelFillPercentage', 'flume_channel_fill_ratio'],
  ['channel', 'EventPutSuccessCount', 'flume_channel_event_put_success_total'],
  ['channel', 'Unhealthy', 'flume_channel_unhealthy'],
  ['sink', 'ConnectionFailedCount', 'flume_sink_connection_failed_total'],
  ['sink', 'KafkaEventSendTimer', 'flume_sink_kafka_event_send_seconds_total'],
] as const)('the counter %s %s of Flume is called %s', (kind, name, expected) => {
  expect(prometheusName(kind, name)).toBe(expected)
})

test('every counter of Flume in the table is one that Flume publishes', async () => {
  const rig = new AgentRig()
  await rig.startBroker()
  await rig.startAgent(tailToKafka())
  const page = rig.agent!.metrics()
  const published = new Set(Object.values(page).flatMap((counters) => Object.keys(counters)))
  const named = agentMetrics.flatMap(({ flumeName }) => flumeName ?? [])
  expect(named.filter((name) => !published.has(name))).toEqual([])
  expect(named.length).toBeGreaterThan(20)
  await rig.close()
})

test('names and help texts follow the rules, and names are unique', () => {
  expect(agentMetrics.flatMap(breaches)).toEqual([])
  const names = agentMetrics.map(({ name }) => name)
  expect(names).toEqual([...new Set(names)])
})

class ExposedRig extends AgentRig {
  readonly metrics = new Metrics()
  readonly #end = exposeAgent(this.metrics, () => this.agent)

  async samples(): Promise<Map<string, number>> {
    return samplesOf(await this.metrics.expose())
  }

  endExposition(): void {
    this.#end()
  }
}

const r1 = '{agent="a1",component="r1"}'
const c1 = '{agent="a1",component="c1"}'
const k1 = '{agent="a1",component="k1"}'

describe('an agent that delivers', () => {
  test('has the metric names of Flume, and its own names for files and bytes', async () => {
    const rig = new ExposedRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\ntwo\nhalf a li')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 2)
    await rig.clock.advanceAndSettle(6000)
    const samples = await rig.samples()
    expect(Object.fromEntries(samples)).toMatchObject({
      [`flume_source_event_received_total${r1}`]: 2,
      [`flume_source_event_accepted_total${r1}`]: 2,
      [`flume_channel_size${c1}`]: 0,
      [`flume_channel_fill_ratio${c1}`]: 0,
      [`flume_channel_event_put_success_total${c1}`]: 2,
      [`flume_channel_event_take_success_total${c1}`]: 2,
      [`flume_channel_unhealthy${c1}`]: 0,
      [`flume_sink_event_drain_success_total${k1}`]: 2,
      [`flume_sink_connection_created_total${k1}`]: 1,
      [`flume_sink_connection_failed_total${k1}`]: 0,
      [`millrace_agent_source_read_bytes_total${r1}`]: 8,
      [`millrace_agent_source_files${r1}`]: 1,
      [`millrace_agent_source_unreadable_files${r1}`]: 0,
      [`millrace_agent_source_unread_bytes${r1}`]: 'half a li'.length,
      [`millrace_agent_channel_oldest_event_age_seconds${c1}`]: 0,
      [`millrace_agent_channel_stalled_seconds${c1}`]: 0,
      'millrace_agent_component_restarts_total{agent="a1",kind="source",component="r1"}': 0,
    })
    if (hasPromtool) expect(checkMetrics(await rig.metrics.expose())).toBe('')
    const delivered = samples.get(`millrace_agent_delivery_delay_seconds_count${k1}`)!
    expect(delivered).toBeGreaterThan(0)
    expect(delivered).toBeLessThanOrEqual(2)
    rig.endExposition()
    expect(await rig.metrics.expose()).not.toContain('flume_')
    await rig.close()
  })

  test('the delay begins with the put of the oldest event of the transaction', async () => {
    const rig = new ExposedRig()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().channels[0]!.size === 1)
    await rig.clock.advanceAndSettle(20_000)
    await rig.append('/logs/app.log', 'two\n')
    await rig.until(() => rig.agent!.status().channels[0]!.size === 2)
    const waiting = await rig.samples()
    const age = waiting.get(`millrace_agent_channel_oldest_event_age_seconds${c1}`)!
    expect(age).toBeGreaterThanOrEqual(20)
    expect(waiting.get(`millrace_agent_channel_stalled_seconds${c1}`)).toBeCloseTo(age, 1)
    await rig.startBroker()
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 2)
    const samples = await rig.samples()
    const bucket = (le: string) =>
      samples.get(
        `millrace_agent_delivery_delay_seconds_bucket{agent="a1",component="k1",le="${le}"}`,
      )
    const taken = samples.get(`millrace_agent_delivery_delay_seconds_count${k1}`)!
    expect(bucket('10')).toBe(taken - 1)
    expect(bucket('60')).toBe(taken)
    expect(bucket('+Inf')).toBe(taken)
    expect(samples.get(`millrace_agent_channel_stalled_seconds${c1}`)).toBe(0)
    await rig.close()
  })
})

describe('an agent that does not deliver', () => {
  test('an unreachable broker counts failed connections, and the lost connection as closed', async () => {
    const rig = new ExposedRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    await rig.stopBroker()
    const failed = async () =>
      (await rig.samples()).get(`flume_sink_connection_failed_total${k1}`) as number
    await rig.until(async () => (await failed()) > 0)
    const before = await failed()
    await rig.append('/logs/app.log', 'two\n')
    await rig.until(async () => (await failed()) > before + 2)
    const samples = await rig.samples()
    expect(samples.get(`flume_sink_connection_created_total${k1}`)).toBe(1)
    expect(samples.get(`flume_sink_connection_closed_total${k1}`)).toBe(1)
    const { ConnectionFailedCount } = rig.agent!.metrics()['SINK.k1']!
    expect(Number(ConnectionFailedCount)).toBeGreaterThan(0)
    await rig.close()
  })

  test('each restart of a failed component is counted', async () => {
    const rig = new ExposedRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    const readFile = rig.disk.readFile.bind(rig.disk)
    let failures = 3
    rig.disk.readFile = async (path) => {
      if (path === '/agent/positions.json' && failures-- > 0) throw new TypeError('made to fail')
      return await readFile(path)
    }
    await rig.startAgent(tailToKafka())
    const restarts = async () =>
      (await rig.samples()).get(
        'millrace_agent_component_restarts_total{agent="a1",kind="source",component="r1"}',
      )
    await rig.until(async () => (await restarts()) === 3)
    await rig.close()
  })
})

test('the series follow the running agent; without one there are none', async () => {
  const rig = new ExposedRig()
  await rig.startBroker()
  expect(await rig.samples()).toEqual(new Map())
  await rig.startAgent(tailToKafka())
  expect((await rig.samples()).has(`flume_channel_size${c1}`)).toBe(true)
  await rig.stopAgent()
  const other = tailToKafka().replaceAll('c1', 'c9')
  await rig.startAgent(other)
  const samples = await rig.samples()
  expect(samples.has(`flume_channel_size${c1}`)).toBe(false)
  expect(samples.has('flume_channel_size{agent="a1",component="c9"}')).toBe(true)
  await rig.close()
})

test('sinks without counters in Flume have metrics, too', async () => {
  const rig = new ExposedRig()
  await rig.disk.makeDirectory('/logs')
  const { clock, disk, network, logger } = rig
  const lines = {
    sources: 'r1',
    channels: 'c1',
    sinks: 'n1',
    'sources.r1.type': 'exec',
    'sources.r1.command': 'lines',
    'sources.r1.channels': 'c1',
    'channels.c1.type': 'memory',
    'sinks.n1.type': 'null',
    'sinks.n1.channel': 'c1',
  }
  const configuration = Object.entries(lines)
    .map(([key, value]) => `a1.${key} = ${value}\n`)
    .join('')
  rig.agent = await drive(
    clock,
    startAgent({
      runtime: {
        clock,
        disk,
        network,
        random: seededRandom(1),
        scheduler: systemScheduler,
      },
      logger,
      name: 'a1',
      configuration,
      host: { name: 'host', fullName: 'host.example', address: '10.0.0.1' },
      startProcess: () => ({
        output: (async function* () {
          yield Buffer.from('one\ntwo\n')
        })(),
        errors: (async function* () {})(),
        exit: Promise.resolve(0),
        kill: () => {},
      }),
    }),
  )
  await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 2)
  const samples = await rig.samples()
  const n1 = '{agent="a1",component="n1"}'
  expect(samples.get(`flume_sink_event_drain_success_total${n1}`)).toBe(2)
  expect(samples.get(`millrace_agent_delivery_delay_seconds_count${n1}`)).toBeGreaterThan(0)
  expect(samples.has(`flume_sink_connection_created_total${n1}`)).toBe(false)
  expect(samples.has(`millrace_agent_source_files${r1}`)).toBe(false)
  await rig.close()
})
