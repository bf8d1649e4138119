// Virtual time, hosts and processes: what the simulated world promises to what runs in it.

import { describe, expect, test } from 'vitest'
import { DirectoryInUseError } from '../../../protocol/runtime/disk/disk.ts'
import { sleep } from '../../../protocol/runtime/time/clock.ts'
import { SimulatedNetwork } from './network/simulatedNetwork.ts'
import { SimulatedHost } from './simulatedHost.ts'
import type { SimulatedProcess } from './simulatedProcess.ts'
import { World } from './world.ts'

function newHost(options: ConstructorParameters<typeof SimulatedHost>[3] = {}) {
  const world = new World({ seed: 5, trace: { keep: true } })
  const host = new SimulatedHost(world, new SimulatedNetwork(world), 'host', options)
  const until = (untilMs: number) => world.run({ untilMs, maxEvents: 1e6 })
  return { world, host, until }
}

describe('a world', () => {
  test('runs all promise jobs of an event before the next one', async () => {
    const world = new World({ seed: 1 })
    const order: string[] = []
    const chain = async (name: string) => {
      for (let step = 0; step < 20; step++) await null
      order.push(name)
    }
    for (const name of ['a', 'b', 'c'])
      world.schedule(1, world, 'test', name, () => void chain(name))
    await world.run({ untilMs: 10, maxEvents: 10 })
    expect(order).toEqual(['a', 'b', 'c'])
  })

  test('runs events in the order of their times, those of one time as they were scheduled', async () => {
    const world = new World({ seed: 1 })
    const ran: number[] = []
    for (const at of [5, 3, 5, 1, 3, 0]) {
      world.schedule(at, world, 'test', '', () => ran.push(at + ran.length / 100))
    }
    const cancelled = world.schedule(2, world, 'test', '', () => ran.push(2))
    cancelled.cancel()
    expect(await world.run({ untilMs: 4, maxEvents: 100 })).toBe('late')
    expect(world.nowMs).toBe(4)
    expect(await world.run({ untilMs: 40, maxEvents: 100 })).toBe('idle')
    expect(ran).toEqual([0, 1.01, 3.02, 3.03, 5.04, 5.05])
  })

  test('hands what an event throws to its owner', async () => {
    const { world, host, until } = newHost()
    const failures: string[] = []
    world.onError = (error, owner) => failures.push(`${owner.name}: ${(error as Error).message}`)
    host.start('program', () => {
      throw new Error('at once')
    })
    host.start('program', async ({ runtime }) => {
      await sleep(runtime.clock, 1)
      throw new Error('later')
    })
    await until(10)
    expect(failures).toEqual(['host/program.1: at once', 'host/program.2: later'])
  })

  test('has the same trace for the same seed, and another one for another seed', async () => {
    const traceOf = async (seed: number) => {
      const world = new World({ seed })
      const host = new SimulatedHost(world, new SimulatedNetwork(world), 'host')
      host.start('program', async ({ runtime }) => {
        for (let at = 0; at < 20; at++) {
          await runtime.disk.writeFileAtomic(`/file-${runtime.random.below(5)}`, Buffer.from('x'))
        }
      })
      await world.run({ untilMs: 1000, maxEvents: 1e6 })
      return world.trace.hash
    }
    expect(await traceOf(1)).toBe(await traceOf(1))
    expect(await traceOf(1)).not.toBe(await traceOf(2))
  })
})

describe('the clock of a host', () => {
  test('drifts, and its timers with it', async () => {
    const { host, until } = newHost({ clock: { driftPpm: 100_000 } })
    let firedMs = 0
    host.start('program', ({ runtime, host: { world } }) => {
      runtime.clock.setTimer(1100, () => {
        firedMs = world.nowMs
      })
    })
    await until(2000)
    expect(firedMs).toBeCloseTo(1000, 1)
    expect(host.clock.monotonicMs()).toBeCloseTo(2200, 5)
  })

  test('never fires a timer early by its own time', async () => {
    const { host, until } = newHost({ clock: { driftPpm: -333 } })
    const early: number[] = []
    host.start('program', ({ runtime: { clock } }) => {
      for (let delayMs = 1; delayMs < 300; delayMs += 0.7) {
        const dueMs = clock.monotonicMs() + delayMs
        clock.setTimer(delayMs, () => {
          if (clock.monotonicMs() < dueMs) early.push(delayMs)
        })
      }
    })
    await until(1000)
    expect(early).toEqual([])
  })

  test('jumps without an effect on monotonic time', async () => {
    const { host, until } = newHost()
    await until(100)
    const before = host.clock.nowMs()
    host.clock.jump(-5000)
    expect(host.clock.nowMs()).toBe(before - 5000)
    expect(host.clock.monotonicMs()).toBe(100)
  })
})

describe('a process', () => {
  async function untilDone(kill: (process: SimulatedProcess) => void) {
    const { world, host, until } = newHost()
    const touched: string[] = []
    const process = host.start('program', async ({ runtime }) => {
      const { disk, network, clock, scheduler } = runtime
      const file = await disk.open('/file', 'write')
      await network.listen({ host: 'host', port: 7 }, () => touched.push('connection'))
      const goOn = async () => {
        for (let at = 0; ; at++) {
          await file.write([Buffer.from('x')], at)
          await file.sync()
        }
      }
      void goOn().finally(() => touched.push('loop ended'))
      clock.setTimer(50, () => touched.push('timer'))
      scheduler.later(() => clock.setTimer(60, () => touched.push('second timer')))
      void sleep(clock, 70).then(() => touched.push('sleep'))
    })
    await until(20)
    kill(process)
    const size = host.disk.memory.hasUnsynced
    const events = world.events
    await until(500)
    return { world, host, process, touched, size, events }
  }

  test('that was killed touches neither disk nor network nor clock again', async () => {
    const { world, host, touched, events } = await untilDone((process) => process.kill())
    const content = (await host.disk.memory.readFile('/file'))!
    expect(content.length).toBeGreaterThan(3)
    expect(touched).toEqual([])
    // Nothing of it is left in the heap but what the disk had been given.
    expect(world.events - events).toBeLessThan(3)
    const later = host.start('program', async ({ runtime }) => {
      await runtime.network.listen({ host: 'host', port: 7 }, () => {})
      touched.push('listens')
    })
    await world.run({ untilMs: 600, maxEvents: 1000 })
    expect(touched).toEqual(['listens'])
    expect(later.isAlive).toBe(true)
    expect((await host.disk.memory.readFile('/file'))!.length).toBe(content.length)
  })

  test('that is paused does nothing until it continues; then its timers are late', async () => {
    const { world, host } = await untilDone(() => {})
    expect(host.processes.size).toBe(1)
    const fired: number[] = []
    const [process] = host.processes
    process!.runtime.clock.setTimer(10, () => fired.push(world.nowMs))
    process!.pause()
    await world.run({ untilMs: 700, maxEvents: 1e6 })
    expect(fired).toEqual([])
    process!.continue()
    await world.run({ untilMs: 701, maxEvents: 1e6 })
    expect(fired).toEqual([700])
  })

  test('ends with its locks, and its files are closed', async () => {
    const { host, until } = newHost()
    const outcomes: string[] = []
    const lock = async ({ runtime }: SimulatedProcess) => {
      await runtime.disk.lock('/data').then(
        () => outcomes.push('locked'),
        (error) => outcomes.push(error instanceof DirectoryInUseError ? 'in use' : 'failed'),
      )
    }
    const first = host.start('one', lock)
    await until(10)
    host.start('two', lock)
    await until(20)
    first.kill()
    host.start('three', lock)
    await until(30)
    expect(outcomes).toEqual(['locked', 'in use', 'locked'])
  })

  test('keeps its stores through a kill, and loses unsynced writes with the power', async () => {
    const { host, until } = newHost()
    const seen: (string | undefined)[] = []
    const key = Buffer.from('k')
    const read = async ({ openStore }: SimulatedProcess) => {
      const store = await openStore('/store')
      const [value] = await store.getMany([key])
      seen.push(value && Buffer.from(value).toString())
      return store
    }
    const writer = host.start('writer', async (process) => {
      const store = await read(process)
      await store.write([{ type: 'put', key, value: Buffer.from('synced') }])
      await store.write([{ type: 'put', key, value: Buffer.from('not synced') }], { sync: false })
    })
    await until(50)
    writer.kill()
    host.start('reader', async (process) => void (await read(process)))
    await until(100)
    host.losePower({ losesAll: true, reorders: false })
    await until(110)
    host.powerOn()
    host.start('reader', async (process) => void (await read(process)))
    await until(200)
    expect(seen).toEqual([undefined, 'not synced', 'synced'])
  })
})

test('a world runs half a million cheap events a second', { timeout: 30_000 }, async () => {
  const world = new World({ seed: 1 })
  let left = 300_000
  const next = () => {
    if (--left > 0) world.schedule(0.5, world, 'test', 'cheap', next)
  }
  for (let at = 0; at < 50; at++) next()
  const before = process.threadCpuUsage()
  await world.run({ untilMs: 1e9, maxEvents: 1e9 })
  const { user, system } = process.threadCpuUsage(before)
  const perSecond = Math.round((world.events / (user + system)) * 1e6)
  console.log(`${world.events} cheap events, ${perSecond} a second of a core`)
  expect(world.events).toBeGreaterThan(299_000)
})
