// The simulated disk: operations take time, complete in any order, fail as a plan says, and what
// was not synced is lost with the power.

import { expect, test } from 'vitest'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { steady } from '../latency.ts'
import { SimulatedNetwork } from '../network/simulatedNetwork.ts'
import { SimulatedHost } from '../simulatedHost.ts'
import { World } from '../world.ts'

class Rig {
  readonly world: World
  readonly host: SimulatedHost

  constructor(seed = 1) {
    this.world = new World({ seed })
    const slow = steady(1, 1)
    this.host = new SimulatedHost(this.world, new SimulatedNetwork(this.world), 'host', {
      disk: { read: slow, write: slow, sync: steady(5, 5) },
    })
  }

  /** Runs until it has settled, or the time is up. */
  async run<T>(work: (disk: Disk) => Promise<T>, forMs = 10_000): Promise<T | 'pending'> {
    let outcome: { value: T } | { error: unknown } | undefined
    this.host.start('test', ({ runtime }) => {
      work(runtime.disk).then(
        (value) => {
          outcome = { value }
        },
        (error) => {
          outcome = { error }
        },
      )
    })
    const untilMs = this.world.nowMs + forMs
    await this.world.run({ untilMs, maxEvents: 1e6, isOver: () => outcome !== undefined })
    if (outcome === undefined) return 'pending'
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  async losePower(reorders = false): Promise<void> {
    this.host.losePower({ losesAll: false, reorders })
    await this.world.run({ untilMs: this.world.nowMs + 1, maxEvents: 100 })
    this.host.powerOn()
  }
}

const write = async (disk: Disk, path: string, text: string, isSynced: boolean) => {
  const file = await disk.open(path, 'write')
  await file.write([Buffer.from(text)], 0)
  if (isSynced) await file.sync()
  if (isSynced) await disk.syncDirectory('/')
}

test('operations take virtual time, and concurrent ones complete in any order', async () => {
  const orders = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const rig = new Rig(seed)
    const order: string[] = []
    await rig.run(async (disk) => {
      const file = await disk.open('/file', 'write')
      const writes = ['a', 'b', 'c'].map(async (name, at) => {
        await file.write([Buffer.from(name)], at)
        order.push(name)
      })
      await Promise.all(writes)
    })
    expect(rig.world.nowMs).toBeGreaterThan(2)
    orders.add(order.join(''))
  }
  expect(orders.size).toBeGreaterThan(3)
})

test('a loss of power keeps what was synced, and any part of the rest', async () => {
  const found = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const rig = new Rig(seed)
    await rig.run((disk) => write(disk, '/synced', 'synced', true))
    await rig.run((disk) => write(disk, '/unsynced', 'unsynced', false))
    await rig.losePower()
    const read = async (disk: Disk) => {
      expect((await disk.readFile('/synced'))?.toString()).toBe('synced')
      return (await disk.readFile('/unsynced'))?.toString() ?? 'no file'
    }
    found.add((await rig.run(read)) as string)
  }
  expect(found).toContain('no file')
  expect([...found].filter((text) => 'unsynced'.startsWith(text)).length).toBeGreaterThan(2)
})

test('a sync may cover no more than what was written when it began', async () => {
  const kept = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const rig = new Rig(seed)
    await rig.run(async (disk) => {
      await write(disk, '/file', 'aaaa', true)
      const file = await disk.open('/file', 'write')
      const sync = file.sync()
      await file.write([Buffer.from('bbbb')], 4)
      await sync
    })
    rig.host.losePower({ losesAll: true, reorders: false })
    await rig.world.run({ untilMs: rig.world.nowMs + 1, maxEvents: 100 })
    rig.host.powerOn()
    kept.add(((await rig.run((disk) => disk.readFile('/file'))) as Buffer).length)
  }
  expect([...kept].sort()).toEqual([4, 8])
})

test('a system call fails once, after those that succeed', async () => {
  const rig = new Rig()
  rig.host.disk.faults.failOnce({ code: 'EIO', operation: 'sync', after: 1 })
  await rig.run(async (disk) => {
    const file = await disk.open('/file', 'write')
    await file.sync()
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await file.sync()
  })
})

test('a full disk refuses writes and new files, and reports no free space', async () => {
  const rig = new Rig()
  await rig.run(async (disk) => {
    const file = await disk.open('/file', 'write')
    rig.host.disk.faults.isFull = true
    await expect(file.write([Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(disk.open('/other', 'write')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await disk.freeBytes('/')).toBe(0)
    expect(await disk.readFile('/file')).toBeDefined()
    rig.host.disk.faults.heal()
    await file.write([Buffer.from('x')], 0)
  })
})

test('a slow disk takes its factor longer', async () => {
  const rig = new Rig()
  rig.host.disk.faults.slowness = 1000
  const open = (disk: Disk) => disk.open('/file', 'write')
  expect(await rig.run(open, 500)).toBe('pending')
})

test('bytes that are changed before their write completes are written changed', async () => {
  const rig = new Rig()
  await rig.run(async (disk) => {
    const file = await disk.open('/file', 'write')
    const bytes = Buffer.from('before')
    const written = file.write([bytes], 0)
    bytes.write('after!')
    await written
    expect((await disk.readFile('/file'))!.toString()).toBe('after!')
  })
})
