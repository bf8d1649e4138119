// The configuration file: what is read, and how its mistakes are named.

import { describe, expect, it } from 'vitest'
import { configText } from '../../broker/configOption.ts'
import {
  brokerConfig,
  brokerOptionNames,
  brokerOptions,
  parseBrokerConfig,
} from '../../broker/configuration.ts'
import { parseListeners } from '../../broker/server/listenerAddress.ts'
import { unusedReason } from '../../broker/unusedOptions.ts'

describe('parseBrokerConfig', () => {
  it('reads a file as Java would', () => {
    const text = [
      '# a comment',
      '! another',
      'num.partitions = 3',
      '  log.dir:/var/lib/mill\\',
      '      race',
      'auto.create.topics.enable FALSE',
      'flush=os',
    ].join('\r\n')
    expect(parseBrokerConfig(text, 'f').values).toEqual({
      'num.partitions': 3,
      'log.dir': '/var/lib/millrace',
      'auto.create.topics.enable': false,
      flush: 'os',
    })
  })

  it.each([
    ['num.partitions=many', 'f:2: num.partitions is "many", but must be 1 to 10000'],
    ['num.partitions=0', 'f:2: num.partitions is "0", but must be 1 to 10000'],
    ['flush=never', 'f:2: flush is "never", but must be group or os'],
    [
      'auto.create.topics.enable=yes',
      'f:2: auto.create.topics.enable is "yes", but must be true or false',
    ],
    ['nonsense', 'f:2: "nonsense" is no key=value line'],
  ])('names file, line and key of %s', (line, message) => {
    expect(() => parseBrokerConfig(`\n${line}`, 'f')).toThrow(message)
  })

  it('lists the keys that it does not know, so that a server.properties of Kafka can be used', () => {
    const text = 'num.io.threads=8\nnode.id=5\nnum.oi.threads=8'
    const { values, unknown } = parseBrokerConfig(text, 'f')
    expect(values).toEqual({ 'node.id': 5 })
    expect(unknown).toEqual([
      { key: 'num.io.threads', line: 1, reason: 'one thread serves all requests here' },
      { key: 'num.oi.threads', line: 3 },
    ])
  })

  it('says of no option that it has no effect', () => {
    expect(brokerOptionNames.filter((name) => unusedReason(name) !== undefined)).toEqual([])
    expect(unusedReason('remote.log.reader.threads')).toMatch(/tiered/)
  })

  it('has defaults within their own bounds', () => {
    for (const [name, option] of Object.entries(brokerOptions)) {
      const text = configText(option.default)
      if (text !== null) expect(option.parse(text), name).toBe(option.default)
      expect(option.doc, name).toMatch(/\.$/)
    }
    expect(brokerConfig({ 'num.partitions': 7 })['num.partitions']).toBe(7)
  })
})

describe('parseListeners', () => {
  it('reads names, hosts and ports', () => {
    expect(parseListeners('A://h:1, B://[::1]:2,C://:3', 'listeners')).toEqual([
      { name: 'A', address: { host: 'h', port: 1 } },
      { name: 'B', address: { host: '::1', port: 2 } },
      { name: 'C', address: { host: '0.0.0.0', port: 3 } },
    ])
  })

  it.each(['h:1', 'A://h', 'A://h:70000', 'A://h:1,A://h:2'])('refuses %s', (text) => {
    expect(() => parseListeners(text, 'listeners')).toThrow(/listeners: "/)
  })
})
