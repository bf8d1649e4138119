// The messages of an agent whose start fails because of a system call.

import { expect, test } from 'vitest'
import { DirectoryInUseError } from '../../protocol/runtime/disk/disk.ts'
import { AgentRig, tailToKafka } from './agentRig.ts'

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

test.each<[string, Error, string]>([
  [
    'a directory without write permission',
    systemError('EACCES', "EACCES: permission denied, mkdir '/agent/checkpoint'"),
    "channel c1 cannot be opened: EACCES: permission denied, mkdir '/agent/checkpoint': check the permissions and the free space of its checkpointDir and dataDirs",
  ],
  [
    'a lock that cannot be created',
    Object.assign(systemError('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open'), {
      cause: systemError('LEVEL_IO_ERROR', 'IO error: .lock: Permission denied'),
    }),
    'channel c1 cannot be opened: IO error: .lock: Permission denied: check the permissions and the free space of its checkpointDir and dataDirs',
  ],
  [
    'a directory in use by another agent',
    new DirectoryInUseError('/agent/checkpoint'),
    '/agent/checkpoint is in use by another process: stop that one first, or choose another directory',
  ],
])('%s is reported with what to do', async (_, error, message) => {
  const rig = new AgentRig()
  rig.disk.lock = () => Promise.reject(error)
  await expect(rig.startAgent(tailToKafka())).rejects.toMatchObject({ message })
  await rig.close()
})
