import { expect, test } from 'vitest'
import { DiskCompletions } from '../../../../protocol/runtime/disk/diskCompletions.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'

async function openFile() {
  const completions = new DiskCompletions()
  const disk = new MemoryDisk({ completions })
  const opening = disk.open('/log', 'write')
  await completions.run()
  return { completions, disk, file: await opening }
}

test('a pending operation is plain data, and takes effect when it is completed', async () => {
  const { completions, disk, file } = await openFile()
  const ended: string[] = []
  const first = file.write([Buffer.from('1')], 0).then(() => ended.push('first'))
  const second = file.write([Buffer.from('22')], 0).then(() => ended.push('second'))
  const synced = file.sync().then(() => ended.push('sync'))
  expect(completions.pending).toEqual([
    { id: 2, operation: 'write', path: '/log' },
    { id: 3, operation: 'write', path: '/log' },
    { id: 4, operation: 'sync', path: '/log' },
  ])
  await settle()
  expect(ended).toEqual([])
  completions.complete(3)
  await settle()
  completions.complete(2)
  await Promise.all([first, second])
  expect(ended).toEqual(['second', 'first'])
  const read = disk.readFile('/log')
  await settle()
  completions.complete(5)
  expect(String(await read)).toBe('12')
  completions.complete(4)
  await synced
  expect(completions.isIdle).toBe(true)
  expect(() => completions.complete(4)).toThrow('operation 4 is not pending')
})

test('a power failure fails all pending operations', async () => {
  const { completions, disk, file } = await openFile()
  const write = file.write([Buffer.from('x')], 0)
  const stat = disk.stat('/log')
  disk.crash()
  await expect(write).rejects.toThrow('ECRASHED')
  await expect(stat).rejects.toThrow('ECRASHED')
  expect(completions.isIdle).toBe(true)
})

test('a seed draws the order of completions, including operations started meanwhile', async () => {
  const orderOf = async (seed: number): Promise<string> => {
    const { completions, file } = await openFile()
    const ended: string[] = []
    const writeTwice = async (name: string) => {
      for (const step of [1, 2]) {
        await file.write([Buffer.from(name)], 0)
        ended.push(name + step)
      }
    }
    const all = Promise.all([writeTwice('a'), writeTwice('b')])
    await completions.run(seededRandom(seed))
    await all
    return ended.join(' ')
  }
  expect(await orderOf(1)).toBe(await orderOf(1))
  const orders = new Set<string>()
  for (let seed = 0; seed < 60; seed++) orders.add(await orderOf(seed))
  expect(orders.size).toBe(6)
  for (const order of orders) expect(order.indexOf('a1')).toBeLessThan(order.indexOf('a2'))
})
