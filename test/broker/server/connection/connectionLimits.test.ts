import { describe, expect, it } from 'vitest'
import { brokerConfig, brokerOptions } from '../../../../broker/configuration/brokerOptions.ts'
import { ConnectionLimits } from '../../../../broker/server/connection/connectionLimits.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

function limitsOf(values: Parameters<typeof brokerConfig>[0]) {
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  return {
    clock,
    logger,
    limits: new ConnectionLimits({ config: brokerConfig(values), clock, logger }),
  }
}

describe('connection limits', () => {
  it('apply to all connections together', () => {
    const { limits } = limitsOf({ 'max.connections': 2 })
    expect(['a:1', 'b:1', 'c:1'].map((client) => limits.admit(client))).toEqual([true, true, false])
    limits.left('a:1')
    expect(limits.admit('c:1')).toBe(true)
  })

  it('apply to an address in any spelling, unless it has an override', () => {
    const { limits } = limitsOf({
      'max.connections.per.ip': 1,
      'max.connections.per.ip.overrides': '10.0.0.9:2, [::1]:0',
    })
    expect(limits.admit('10.0.0.1:5000')).toBe(true)
    expect(limits.admit('[::ffff:10.0.0.1]:5001')).toBe(false)
    expect(limits.admit('10.0.0.2:5000')).toBe(true)
    expect(limits.admit('10.0.0.9:1')).toBe(true)
    expect(limits.admit('10.0.0.9:2')).toBe(true)
    expect(limits.admit('10.0.0.9:3')).toBe(false)
    expect(limits.admit('[::1]:1')).toBe(false)
    limits.left('10.0.0.1:5000')
    expect(limits.admit('[::ffff:10.0.0.1]:5001')).toBe(true)
  })

  it('are logged when refusals begin, and when they have ended with their number', () => {
    const { limits, logger, clock } = limitsOf({ 'max.connections': 1 })
    limits.admit('10.0.0.1:1')
    for (let times = 0; times < 1000; times++) {
      limits.admit('10.0.0.2:1')
      clock.advance(1_000)
    }
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { limit: 'max.connections' } }])
    limits.left('10.0.0.1:1')
    limits.admit('10.0.0.1:1')
    limits.left('10.0.0.1:1')
    expect(logger.lines).toHaveLength(1)
    clock.advance(60_000)
    limits.admit('10.0.0.1:1')
    const [, over] = logger.lines
    expect(over).toMatchObject({ level: 'info', fields: { times: 1000 } })
  })
  it('can change while the broker runs, for later connections', () => {
    let config = brokerConfig({ 'max.connections.per.ip': 1 })
    const broker = {
      get config() {
        return config
      },
      clock: new ManualClock(),
      logger: new MemoryLogger(),
    }
    const limits = new ConnectionLimits(broker)
    expect([limits.admit('10.0.0.9:1'), limits.admit('10.0.0.9:2')]).toEqual([true, false])
    config = { ...config, 'max.connections.per.ip.overrides': '10.0.0.9:2' }
    expect([limits.admit('10.0.0.9:2'), limits.admit('10.0.0.9:3')]).toEqual([true, false])
    expect(limits.admit('10.0.0.8:1')).toBe(true)
    config = { ...config, 'max.connections.per.ip.overrides': '' }
    limits.left('10.0.0.9:1')
    expect(limits.admit('10.0.0.9:3')).toBe(false)
  })

  it.each([
    '10.0.0.1',
    '10.0.0.1:many',
    ':5',
    'localhost:5',
    '10.0.0.256:5',
    '010.0.0.1:5',
    '[::1:5',
    '[::g]:5',
  ])('refuse the overrides "%s"', (text) => {
    expect(() => limitsOf({ 'max.connections.per.ip.overrides': text })).toThrow(/overrides is "/)
    expect(brokerOptions['max.connections.per.ip.overrides'].parse(text)).toBeUndefined()
  })

  it.each([
    ['0:0:0:0:0:0:0:1', '::1'],
    ['[FE80::0001]', 'fe80::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['[::ffff:a00:1]', '10.0.0.1'],
  ])('normalize %s to %s', (written, address) => {
    const limits = limitsOf({ 'max.connections.per.ip.overrides': `${written}:0` }).limits
    const host = address.includes(':') ? `[${address}]` : address
    expect(limits.admit(`${host}:5000`)).toBe(false)
  })
})
