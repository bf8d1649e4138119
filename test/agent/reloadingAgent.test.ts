// Reloads of the configuration while the agent runs: a valid change takes effect, an invalid one
// changes nothing, and no event is lost.

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ConfigurationFile } from '../../agent/agent.ts'
import { AgentError } from '../../agent/errors.ts'
import { type ReloadingAgent, startReloadingAgent } from '../../agent/reloadingAgent.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { drive } from '../protocol/client/drive.ts'
import { AgentRig, tailToKafka } from './agentRig.ts'
import { testHost } from './component.ts'

const memory = { 'channels.c1.type': 'memory', 'channels.c1.capacity': 1000 }

let rig: AgentRig
let agent: ReloadingAgent
let read: () => Promise<readonly ConfigurationFile[]>
beforeEach(async () => {
  rig = new AgentRig()
  await rig.startBroker()
  await rig.disk.makeDirectory('/logs')
})
afterEach(async () => {
  await drive(rig.clock, agent.stop())
  await rig.close()
})

function file(text: string): readonly ConfigurationFile[] {
  return [{ path: 'x.conf', text }]
}

async function start(text: string): Promise<void> {
  const { clock, network, disk, logger } = rig
  read = async () => file(text)
  const runtime = { clock, network, disk, random: seededRandom(2), scheduler: systemScheduler }
  const options = { runtime, logger, name: 'a1', configuration: file(text), host: testHost }
  const starting = startReloadingAgent(options, { read: () => read(), intervalMs: 30_000 })
  agent = await drive(clock, starting)
}

/** Replaces the configuration; resolves when the agent has read the new one. */
async function change(next: typeof read): Promise<void> {
  read = next
  for (let second = 0; second < 45; second++) await rig.clock.advanceAndSettle(1000)
}

const drained = (events: number) =>
  rig.until(() => agent.agent.status().sinks[0]!.eventsDrained === events)

test('a changed configuration takes effect, and reading continues at the next line', async () => {
  await start(tailToKafka())
  await rig.append('/logs/app.log', 'one\n')
  await drained(1)
  const before = agent.agent
  await change(async () => file(tailToKafka({ 'sinks.k1.kafka.topic': 'others' })))
  expect(agent.agent).not.toBe(before)
  await rig.append('/logs/app.log', 'two\n')
  await drained(1)
  expect(await rig.values('lines')).toEqual(['one'])
  expect(await rig.values('others')).toEqual(['two'])
  expect(rig.logger.messages('info')).toContain('configuration changed: restarting the agent')
})

test('a memory channel that is configured as before keeps its events', async () => {
  await start(tailToKafka({ ...memory, 'sinks.k1.kafka.bootstrap.servers': 'nobody:9092' }))
  await rig.append('/logs/app.log', 'one\ntwo\n')
  await rig.until(() => agent.agent.status().channels[0]!.size === 2)
  const startMs = rig.clock.monotonicMs()
  await change(async () => file(tailToKafka(memory)))
  await drained(2)
  expect(await rig.values('lines')).toEqual(['one', 'two'])
  expect(rig.clock.monotonicMs() - startMs).toBeLessThan(60_000)
  const messages = [...rig.logger.messages('info'), ...rig.logger.messages('warn')]
  expect(messages.filter((message) => message.startsWith('memory channel stopped'))).toEqual([])
})

test('an invalid configuration changes nothing, and is logged once', async () => {
  await start(tailToKafka())
  const before = agent.agent
  await change(async () => file(tailToKafka({ 'sinks.k1.type': 'hdfs' })))
  await change(read)
  expect(agent.agent).toBe(before)
  expect(rig.logger.messages('error')).toEqual([
    expect.stringMatching(
      /^the changed configuration is invalid, so the agent keeps the current one: agent a1 is not started: it has no valid sink.*\nerror: x\.conf:\d+: a1\.sinks\.k1\.type: 'hdfs'/s,
    ),
  ])
  await rig.append('/logs/app.log', 'one\n')
  await drained(1)
})

test('a removed file changes nothing, and is logged once', async () => {
  await start(tailToKafka())
  const before = agent.agent
  await change(() => Promise.reject(new AgentError('CONFIGURATION', 'x.conf does not exist')))
  await change(read)
  await change(async () => file(tailToKafka()))
  expect(agent.agent).toBe(before)
  expect(rig.logger.messages('warn')).toEqual([
    'x.conf does not exist; the agent keeps the current configuration',
  ])
})

test('a configuration that only fails at start is replaced by the previous one', async () => {
  await start(tailToKafka())
  const held = await rig.disk.lock('/elsewhere')
  await change(async () => file(tailToKafka({ 'channels.c1.checkpointDir': '/elsewhere' })))
  expect(rig.logger.messages('error')).toEqual([
    expect.stringMatching(
      /^failed to start with the changed configuration, so the agent starts with the previous one: \/elsewhere is in use/,
    ),
  ])
  await rig.append('/logs/app.log', 'one\n')
  await drained(1)
  expect(await rig.values('lines')).toEqual(['one'])
  await held.release()
})
