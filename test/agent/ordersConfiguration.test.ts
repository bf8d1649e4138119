// The configuration of the demo, which is part of the package: it has no warnings, the expected
// components, and a file group that matches exactly the intended names.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { AgentRig } from './agentRig.ts'

const path = 'agent/orders.conf'

test('agent/orders.conf has no problem and carries the orders, and nothing else', async () => {
  const text = await readFile(new URL(`../../${path}`, import.meta.url), 'latin1')
  const rig = new AgentRig()
  await rig.startBroker()
  await rig.disk.makeDirectory('/demo')
  await rig.append('/demo/orders.log', 'an order\n')
  await rig.append('/demo/orders-log', 'not an order\n')
  await rig.startAgent('', {
    name: 'orders',
    configuration: [{ path, text }],
    systemProperties: { 'demo.directory': '/demo', 'demo.bootstrap': 'broker:9092' },
  })
  const components = (list: readonly { name: string; type: string }[]) =>
    list.map(({ name, type }) => `${name} ${type}`)
  const { sources, channels, sinks } = rig.agent!.status()
  expect([components(sources), components(channels), components(sinks)]).toEqual([
    ['tail taildir'],
    ['disk file'],
    ['log kafka'],
  ])
  await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
  await rig.clock.advanceAndSettle(5000)
  expect(await rig.values('orders')).toEqual(['an order'])
  expect(rig.logger.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  await rig.close()
})
