// The sample configurations of docs/deploy: the programs accept them unchanged, without a warning.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkAgent } from '../../agent/agent.ts'
import { brokerOptions } from '../../broker/configuration/brokerOptions.ts'
import { parseBrokerConfig } from '../../broker/configuration/configurationFile.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { MemoryLogger } from '../memoryLogger.ts'

const folder = join(import.meta.dirname, '../../docs/deploy')
const read = (path: string) => readFileSync(join(folder, path), 'utf8')

describe('server.properties', () => {
  const text = read('server.properties')

  test('is accepted, and has no key that is unknown or without effect', () => {
    expect(parseBrokerConfig(text, 'server.properties').unused).toEqual([])
  })

  test('has every key of the table, and every default is accepted', () => {
    const keys = [...text.matchAll(/^#?([a-z0-9.]+)=(.*)$/gm)]
    expect(keys.map(([, key]) => key)).toEqual(Object.keys(brokerOptions))
    const assigned = keys
      .filter(([, , value]) => value !== '')
      .map(([line]) => line.replace('#', ''))
    expect(parseBrokerConfig(assigned.join('\n'), 'server.properties').unused).toEqual([])
  })
})

test('the configuration of the broker in the container is accepted', () => {
  const { values, unused } = parseBrokerConfig(read('container/server.properties'), 'x')
  expect(unused).toEqual([])
  expect(values['advertised.listeners']).toMatch(
    /^INTERNAL:\/\/broker:\d+,HOST:\/\/localhost:9092$/,
  )
})

describe('the agents', () => {
  const names = readdirSync(join(folder, 'agents')).map((file) => file.replace('.conf', ''))

  test('are for access logs, user behaviour and sensors', () => {
    expect(names.sort()).toEqual(['access', 'behaviour', 'sensors'])
  })

  test.each(names)('%s can be started without a warning', async (name) => {
    const { problems } = await checkAgent({
      runtime: nodeRuntime(tcpNetwork),
      logger: new MemoryLogger(),
      name,
      configuration: [{ path: `${name}.conf`, text: read(`agents/${name}.conf`) }],
      environment: { STATE_DIRECTORY: '/var/lib/millrace', MILLRACE_BOOTSTRAP: '127.0.0.1:9092' },
    })
    expect(problems).toEqual([])
  })
})
