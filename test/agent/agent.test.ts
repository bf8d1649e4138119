// What an agent says when it starts and the system refuses something, and when it stops with events left.

import { expect, test } from 'vitest'
import { DirectoryInUseError } from '../../protocol/runtime/disk.ts'
import { AgentRig, tailToKafka } from './agentRig.ts'

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

test.each<[string, Error, string]>([
  [
    'a directory that may not be written',
    systemError('EACCES', "EACCES: permission denied, mkdir '/agent/checkpoint'"),
    "channel c1 cannot be opened: EACCES: permission denied, mkdir '/agent/checkpoint': look at the rights to its checkpointDir and dataDirs, and at the room there",
  ],
  [
    'a lock that cannot be made',
    Object.assign(systemError('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open'), {
      cause: systemError('LEVEL_IO_ERROR', 'IO error: .lock: Permission denied'),
    }),
    'channel c1 cannot be opened: IO error: .lock: Permission denied: look at the rights to its checkpointDir and dataDirs, and at the room there',
  ],
  [
    'a directory that another agent has',
    new DirectoryInUseError('/agent/checkpoint'),
    '/agent/checkpoint is in use by another process: stop that one first, or choose another directory',
  ],
])('%s is said with what to do', async (_, error, message) => {
  const rig = new AgentRig()
  rig.disk.lock = () => Promise.reject(error)
  await expect(rig.startAgent(tailToKafka())).rejects.toMatchObject({ message })
  await rig.close()
})

test('events that are left in a memory channel are said', async () => {
  const rig = new AgentRig()
  await rig.disk.makeDirectory('/logs')
  await rig.startAgent(tailToKafka({ 'channels.c1.type': 'memory' }))
  await rig.append('/logs/app.log', 'one\ntwo\n')
  await rig.until(() => rig.agent!.status().channels[0]!.size === 2)
  await rig.stopAgent()
  expect(rig.logger.messages('warn')).toContain(
    '2 events were not delivered and are gone with memory channel c1: those that their source cannot read again are lost',
  )
})

test('nothing is said of a file channel, nor of an empty one', async () => {
  for (const type of ['file', 'memory']) {
    const rig = new AgentRig()
    if (type === 'memory') await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka({ 'channels.c1.type': type }))
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sources[0]!.eventsAccepted === 1)
    await rig.stopAgent()
    expect(rig.logger.messages('warn').join()).not.toContain('are gone')
    await rig.close()
  }
})
