// An orderly stop while the sinks cannot deliver: events of a memory channel are read again from
// their files after the next start; the number of events that cannot be read again is logged.

import { expect, test } from 'vitest'
import { AgentRig, tailToKafka } from './agentRig.ts'

const memory = {
  'channels.c1.type': 'memory',
  'channels.c1.capacity': 1000,
  'channels.c1.transactionCapacity': 100,
}

test('taildir to Kafka through memory loses nothing while Kafka is away', async () => {
  const rig = new AgentRig()
  await rig.disk.makeDirectory('/logs')
  const lines = Array.from({ length: 60 }, (_, n) => `line ${n}`)
  await rig.append('/logs/app.log', lines.map((line) => `${line}\n`).join(''))
  await rig.startAgent(tailToKafka(memory))
  await rig.until(() => rig.agent!.status().channels[0]!.size === 60)
  await rig.stopAgent()
  expect(rig.logger.lines).toContainEqual({
    level: 'info',
    message:
      'memory channel stopped with uncommitted events: all of them are read again after the next start',
    fields: { channel: 'c1', events: 0, rereadable: 60 },
  })
  await rig.startBroker()
  await rig.startAgent(tailToKafka(memory))
  await rig.until(async () => (await rig.values('lines')).length >= 60)
  expect(await rig.values('lines')).toEqual(lines)
  await rig.close()
})

test('the number of lost events of a command is logged', async () => {
  const rig = new AgentRig()
  async function* output() {
    yield Buffer.from('one\ntwo\nthree\n')
  }
  const configuration = `${tailToKafka(memory)}
    a1.sources.r1.type = exec
    a1.sources.r1.command = command`
  await rig.startAgent(configuration, {
    startProcess: () => ({
      output: output(),
      errors: (async function* () {})(),
      exit: Promise.resolve(0),
      kill: () => {},
    }),
  })
  await rig.until(() => rig.agent!.status().channels[0]!.size === 3)
  await rig.stopAgent()
  expect(rig.logger.lines.filter(({ level }) => level === 'warn')).toContainEqual({
    level: 'warn',
    message:
      'memory channel stopped with uncommitted events: those counted in "events" are lost (their source cannot be read again, or their file was truncated and no copy is followed), those in "rereadable" are read again after the next start',
    fields: { channel: 'c1', events: 3, rereadable: 0 },
  })
  await rig.close()
})
