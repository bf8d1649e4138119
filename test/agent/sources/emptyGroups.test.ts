// File groups without a matching file are logged once, when the source starts.

import { expect, test } from 'vitest'
import { AgentRig, tailToKafka } from '../agentRig.ts'

test('groups without a file or without a directory are logged; a group with a file is not', async () => {
  const rig = new AgentRig()
  await rig.startBroker()
  await rig.disk.makeDirectory('/logs')
  await rig.append('/logs/app.log', 'one\n')
  await rig.startAgent(
    tailToKafka({
      'sources.r1.filegroups': 'f1 f2 f3',
      'sources.r1.filegroups.f2': '/logs/ap\\\\.log',
      'sources.r1.filegroups.f3': '/nowhere/.*',
    }),
  )
  await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
  const groups = rig.logger.lines.filter(({ fields }) => 'group' in fields)
  expect(groups.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    'info: no file in /logs matches file group f2 yet',
    'warn: directory /nowhere of file group f3 does not exist',
  ])
  await rig.close()
})
