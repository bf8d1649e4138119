import { afterEach, describe, expect, it } from 'vitest'
import { brokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import { ConnectionPace } from '../../../../broker/server/connection/connectionPace.ts'
import { apiVersions } from '../../../../protocol/kafka/apis/apiVersions.ts'
import { incrementalAlterConfigs } from '../../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker } from '../memoryBroker.ts'

const rate = 'max.connection.creation.rate'

describe('the pace of new connections', () => {
  it('admits one second of connections at once, and the others in turn', () => {
    const clock = new ManualClock()
    const pace = new ConnectionPace({ config: brokerConfig({ [rate]: 4 }), clock })
    const waits = () => Array.from({ length: 6 }, () => pace.nextWaitMs())
    expect(waits()).toEqual([0, 0, 0, 0, 250, 500])
    clock.advance(750)
    expect(waits().slice(0, 2)).toEqual([0, 250])
    clock.advance(60_000)
    expect(waits()).toEqual([0, 0, 0, 0, 250, 500])
  })

  it('refuses connections that would wait for more than 30 seconds', () => {
    const clock = new ManualClock()
    const pace = new ConnectionPace({ config: brokerConfig({ [rate]: 1 }), clock })
    const waits = Array.from({ length: 40 }, () => pace.nextWaitMs())
    expect(waits.filter((wait) => wait === undefined)).toHaveLength(9)
    clock.advance(1000)
    expect(pace.nextWaitMs()).toBe(30_000)
  })

  it('delays no connection unless it is set', () => {
    const pace = new ConnectionPace({ config: brokerConfig(), clock: new ManualClock() })
    expect(Array.from({ length: 10_000 }, () => pace.nextWaitMs()).every((ms) => ms === 0)).toBe(
      true,
    )
  })
})

describe('a broker with max.connection.creation.rate', () => {
  let broker: MemoryBroker

  afterEach(() => broker.stop())

  it('reads a connection when its turn comes; the rate can be raised while the broker runs', async () => {
    broker = await MemoryBroker.start({ [rate]: 2 })
    const clients = await Promise.all([broker.client(), broker.client(), broker.client()])
    let answered = 0
    for (const client of clients) {
      void client.send(apiVersions, 0, {}).then(() => answered++)
    }
    await broker.clock.advanceAndSettle(499)
    expect(answered).toBe(2)
    await broker.clock.advanceAndSettle(1)
    expect(answered).toBe(3)
    const configs = [{ name: rate, configOperation: 0, value: '1000' }]
    const resources = [{ resourceType: 4, resourceName: '', configs }]
    await clients[0]!.send(incrementalAlterConfigs, 1, { resources, validateOnly: false })
    const more = await Promise.all(Array.from({ length: 10 }, () => broker.client()))
    const answers = Promise.all(more.map((client) => client.send(apiVersions, 0, {})))
    await broker.clock.advanceAndSettle(10)
    await answers
  })

  it('releases waiting connections when it stops, and when their clients disconnect', async () => {
    broker = await MemoryBroker.start({ [rate]: 1 })
    const timers = broker.clock.pendingTimers
    const [first, second, third] = [
      await broker.client(),
      await broker.client(),
      await broker.client(),
    ]
    await first.send(apiVersions, 0, {})
    second.close()
    await broker.clock.advanceAndSettle(1000)
    expect(await broker.metric('millrace_broker_connections{listener="MEMORY"}')).toBe(2)
    const closing = broker.broker.close()
    await third.closed
    await closing
    expect(broker.clock.pendingTimers).toBeLessThan(timers + 1)
  })
})
