// The configuration file: what it may contain, and how mistakes in it are reported.

import { describe, expect, it } from 'vitest'
import {
  brokerConfig,
  brokerOptionNames,
  brokerOptions,
} from '../../../broker/configuration/brokerOptions.ts'
import { configText } from '../../../broker/configuration/configOption.ts'
import { parseBrokerConfig } from '../../../broker/configuration/configurationFile.ts'
import { parseListeners } from '../../../broker/configuration/listenerAddress.ts'
import { unusedReason } from '../../../broker/configuration/unusedOptions.ts'

describe('parseBrokerConfig', () => {
  it('reads a file as Java does', () => {
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
  ])('reports file, line and key of %s', (line, message) => {
    expect(() => parseBrokerConfig(`\n${line}`, 'f')).toThrow(message)
  })

  it('lists unknown keys, so that a server.properties of Kafka can be used', () => {
    const text = 'num.io.threads=8\nnode.id=5\nnum.oi.threads=8'
    const { values, unused } = parseBrokerConfig(text, 'f')
    expect(values).toEqual({ 'node.id': 5 })
    expect(unused).toEqual([
      { key: 'num.io.threads', line: 1, reason: 'one thread serves all requests' },
      { key: 'num.oi.threads', line: 3, suggestion: 'num.io.threads' },
    ])
  })

  it('lists keys without effect if they differ from their defaults', () => {
    const text = 'log.preallocate=true\nlog.flush.interval.messages=1\ncompression.lz4.level=9'
    const { values, unused } = parseBrokerConfig(text, 'f')
    expect(values).toMatchObject({ 'log.preallocate': true, 'log.flush.interval.messages': 1 })
    expect(unused).toEqual([
      { key: 'log.preallocate', line: 1, reason: 'segments grow as they are written' },
      {
        key: 'log.flush.interval.messages',
        line: 2,
        reason: '`flush` says when appends are synced',
      },
    ])
  })

  it.each([
    ['log.retenton.hours', 'log.retention.hours'],
    ['log.retention.hour', 'log.retention.hours'],
    ['auto.create.topic.enable', 'auto.create.topics.enable'],
    ['advertised.Listeners', 'advertised.listeners'],
    ['nmu.partitions', 'num.partitions'],
    ['my.own.key', undefined],
    ['x', undefined],
  ])('suggests for %s the key %s', (key, meant) => {
    const { unused } = parseBrokerConfig(`${key}=1`, 'f')
    expect(unused).toEqual([
      meant === undefined ? { key, line: 1 } : { key, line: 1, suggestion: meant },
    ])
  })

  it('reads broker.id as the former name of node.id', () => {
    expect(parseBrokerConfig('broker.id=7', 'f')).toEqual({ values: { 'node.id': 7 }, unused: [] })
    expect(parseBrokerConfig('broker.id=7\nnode.id=7', 'f').values).toEqual({ 'node.id': 7 })
    expect(() => parseBrokerConfig('node.id=1\nbroker.id=7', 'f')).toThrow(
      'f:2: broker.id is "7" and node.id is "1": remove broker.id',
    )
  })

  it.each([
    'ssl.keystore.location=/etc/keys',
    'ssl.client.auth=required',
    'sasl.enabled.mechanisms=SCRAM-SHA-512',
    'listener.name.external.sasl.jaas.config=x',
    'listener.name.external.ssl.truststore.location=/etc/keys',
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:admin',
    'allow.everyone.if.no.acl.found=false',
    'security.inter.broker.protocol=SASL_SSL',
    'security.protocol=SSL',
    'principal.builder.class=x',
    'delegation.token.secret.key=x',
    'connections.max.reauth.ms=3600000',
  ])('refuses %s, which requires a protection that does not exist yet', (line) => {
    const key = line.slice(0, line.indexOf('='))
    expect(() => parseBrokerConfig(`node.id=1\n${line}`, 'f')).toThrow(
      `f:2: ${key} (line 2) asks for protection that this broker does not have yet`,
    )
  })

  it('reports all settings that require a protection together', () => {
    const text = 'ssl.key.password=a\nnode.id=1\nsasl.mechanism.inter.broker.protocol=PLAIN'
    expect(() => parseBrokerConfig(text, 'f')).toThrow(
      'f:1: ssl.key.password (line 1), sasl.mechanism.inter.broker.protocol (line 3) ask for',
    )
  })

  it('accepts security settings that require nothing', () => {
    const text = [
      'ssl.client.auth=none',
      'sasl.enabled.mechanisms=',
      'authorizer.class.name=',
      'allow.everyone.if.no.acl.found=true',
      'security.inter.broker.protocol=PLAINTEXT',
      'connections.max.reauth.ms=0',
    ].join('\n')
    expect(parseBrokerConfig(text, 'f').values).toEqual({})
  })

  it('reports no working option as one without effect', () => {
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
