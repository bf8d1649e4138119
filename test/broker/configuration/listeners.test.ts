// Which listeners a configuration serves, which hosts can reach them, and which are refused.

import { describe, expect, it } from 'vitest'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { planListeners } from '../../../broker/configuration/listeners.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'

const network = memoryNetwork()

function plan(
  listeners: string,
  advertised = '',
  more: { map?: string; controllers?: string } = {},
) {
  const config = brokerConfig({
    listeners,
    'advertised.listeners': advertised,
    ...(more.map !== undefined && { 'listener.security.protocol.map': more.map }),
    ...(more.controllers !== undefined && { 'controller.listener.names': more.controllers }),
  })
  return planListeners(config, network, 'web-01')
}

describe('a listener on all addresses', () => {
  it.each([
    'PLAINTEXT://0.0.0.0:9092',
    'PLAINTEXT://:9092',
    'PLAINTEXT://[::]:9092',
    'PLAINTEXT://[0:0:0:0:0:0:0:0]:9092',
    'PLAINTEXT://[::ffff:0.0.0.0]:9092',
    'PLAINTEXT://0:9092',
  ])(
    '%s is refused without advertised.listeners, and the message has the line to add',
    (listener) => {
      expect(() => plan(listener)).toThrow(
        /add the line advertised\.listeners=PLAINTEXT:\/\/web-01:9092 to the configuration file/,
      )
    },
  )

  it('is accepted with an address that clients can connect to', () => {
    const { listeners, open } = plan('PLAINTEXT://0.0.0.0:9092', 'PLAINTEXT://web-01:9092')
    expect(listeners).toMatchObject([{ advertised: { host: 'web-01', port: 9092 } }])
    expect(open).toEqual(['PLAINTEXT'])
  })

  it.each([
    ['PLAINTEXT://0.0.0.0:9092', /is no address to connect to/],
    ['PLAINTEXT://:9092', /is no address to connect to/],
    ['PLAINTEXT://[::]:9092', /is no address to connect to/],
    ['PLAINTEXT://web-01:0', /needs a port/],
    ['OTHER://web-01:9092', /has no listener of that name/],
  ])('advertising %s is refused', (advertised, message) => {
    expect(() => plan('PLAINTEXT://0.0.0.0:9092', advertised)).toThrow(message)
  })
})

describe('the hosts that can reach a listener', () => {
  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '[::1]'])('%s: only this machine', (host) => {
    expect(plan(`PLAINTEXT://${host}:9092`).open).toEqual([])
  })

  it.each(['10.0.0.7', 'web-01', '[fe80::1]'])('%s: other hosts', (host) => {
    expect(plan(`PLAINTEXT://${host}:9092`).open).toEqual(['PLAINTEXT'])
  })
})

describe('a controller listener', () => {
  it("is not served, whether it has Kafka's usual name or the configured one", () => {
    const usual = plan('PLAINTEXT://127.0.0.1:1,CONTROLLER://0.0.0.0:2')
    expect(usual.listeners.map(({ name }) => name)).toEqual(['PLAINTEXT'])
    expect(usual).toMatchObject({ unserved: ['CONTROLLER'], open: [] })
    const given = plan('PLAINTEXT://127.0.0.1:1,QUORUM://:2', '', { controllers: 'QUORUM' })
    expect(given.unserved).toEqual(['QUORUM'])
  })

  it('is not enough for a broker', () => {
    expect(() => plan('CONTROLLER://:9093')).toThrow(/at least one is needed that serves clients/)
  })
})

describe('a listener with a security protocol', () => {
  const map = 'INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL'

  it.each(['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'])('%s is refused', (name) => {
    expect(() => plan(`${name}://127.0.0.1:9092`)).toThrow(new RegExp(`${name} asks for ${name}`))
  })

  it('is refused under any name', () => {
    expect(() => plan('INSIDE://127.0.0.1:1,OUTSIDE://127.0.0.1:2', '', { map })).toThrow(
      /OUTSIDE asks for SASL_SSL, which this broker does not have yet/,
    )
    expect(plan('INSIDE://127.0.0.1:1', '', { map }).listeners).toHaveLength(1)
  })

  it('is distinguished from a listener without a mapped protocol', () => {
    expect(() => plan('OTHER://127.0.0.1:1', '', { map })).toThrow(/add OTHER:PLAINTEXT/)
    expect(() => plan('INSIDE://127.0.0.1:1', '', { map: 'INSIDE' })).toThrow(
      /is not NAME:PROTOCOL/,
    )
  })
})
