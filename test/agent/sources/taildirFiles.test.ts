// A taildir source with many files, and with files that cannot be read.

import { expect, test } from 'vitest'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { PositionHistory } from './positionHistory.ts'

const files = 1000

async function followed(sourceDisk: (disk: Disk) => Disk): Promise<PositionHistory> {
  const history = new PositionHistory({ channels: ['file'], isSplit: false, capacity: 10_000 })
  history.sourceDisk = sourceDisk
  await history.start()
  return history
}

async function delivered(history: PositionHistory): Promise<string[]> {
  for (let quiet = 0; quiet < 3; quiet++) {
    await history.run(2000)
    while (await history.drain(0, 1000)) quiet = 0
  }
  return [...history.delivered[0]!.stamps.values()].flat()
}

function failing(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** A disk that allows few open files at a time. */
function limited(disk: Disk, allowed: number, figures: { open: number; most: number }): Disk {
  return {
    ...disk,
    maxOpenFiles: async () => allowed,
    async open(path, mode): Promise<DiskFile> {
      const file = await disk.open(path, mode)
      figures.open++
      figures.most = Math.max(figures.most, figures.open)
      return {
        ...file,
        close: async () => {
          figures.open--
          await file.close()
        },
      }
    },
  }
}

test('1,000 files are followed with a quarter of 256 descriptors', async () => {
  const figures = { open: 0, most: 0 }
  const history = await followed((disk) => limited(disk, 256, figures))
  for (let n = 0; n < files; n++) await history.append(`/logs/app.${n}.log`, `first ${n}\n`)
  const first = Array.from({ length: files }, (_, n) => `first ${n}`)
  expect((await delivered(history)).sort()).toEqual(first.sort())
  for (let n = 0; n < files; n++) await history.append(`/logs/app.${n}.log`, `second ${n}\n`)
  const second = Array.from({ length: files }, (_, n) => `second ${n}`)
  expect((await delivered(history)).sort()).toEqual([...first, ...second].sort())
  expect(figures.most).toBeLessThanOrEqual(64)
})

test('works with fewer descriptors when other code has taken them', async () => {
  let open = 0
  const history = await followed((disk) => ({
    ...disk,
    async open(path, mode) {
      if (open >= 10) throw failing('EMFILE', path)
      open++
      const file = await disk.open(path, mode)
      return {
        ...file,
        close: async () => {
          open--
          await file.close()
        },
      }
    },
  }))
  for (let n = 0; n < 50; n++) await history.append(`/logs/app.${n}.log`, `line ${n}\n`)
  expect((await delivered(history)).length).toBe(50)
  expect(history.logger.messages('warn')).toEqual([])
})

test('a file that cannot be opened is skipped with one warning, and read once it can be opened', async () => {
  let isForbidden = true
  const history = await followed((disk) => ({
    ...disk,
    async open(path, mode) {
      if (isForbidden && path === '/logs/app.secret.log') throw failing('EACCES', path)
      return await disk.open(path, mode)
    },
  }))
  await history.append('/logs/app.secret.log', 'secret\n')
  await history.append('/logs/app.log', 'public\n')
  await history.run(15_000)
  expect(await delivered(history)).toEqual(['public'])
  expect(history.logger.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    {
      message: 'failed to read file: skipped until it is readable',
      fields: { file: '/logs/app.secret.log', error: 'EACCES: /logs/app.secret.log' },
    },
  ])
  isForbidden = false
  await history.run(6000)
  expect(await delivered(history)).toEqual(['public', 'secret'])
})

test('a file whose reads fail is skipped with one warning, and read once reads succeed', async () => {
  let isBroken = false
  const history = await followed((disk) => ({
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode)
      return {
        ...file,
        async read(into, position) {
          if (isBroken && path === '/logs/app.bad.log') throw failing('EIO', path)
          return await file.read(into, position)
        },
      }
    },
  }))
  await history.append('/logs/app.bad.log', 'one\n')
  await history.append('/logs/app.log', 'one\n')
  await history.run(1000)
  isBroken = true
  await history.append('/logs/app.bad.log', 'two\n')
  await history.append('/logs/app.log', 'three\n')
  await history.run(15_000)
  expect((await delivered(history)).sort()).toEqual(['one', 'one', 'three'])
  expect(history.logger.messages('warn')).toHaveLength(1)
  isBroken = false
  await history.run(6000)
  expect((await delivered(history)).sort()).toEqual(['one', 'one', 'three', 'two'])
})

test('a pipe, or a directory, that matches is skipped with one warning and never opened', async () => {
  const opened: string[] = []
  const history = await followed((disk) => ({
    ...disk,
    async open(path, mode) {
      opened.push(path)
      return await disk.open(path, mode)
    },
    async stat(path) {
      const stat = await disk.stat(path)
      return stat && path === '/logs/app.pipe.log' ? { ...stat, isFile: false } : stat
    },
  }))
  await history.append('/logs/app.pipe.log', '')
  await history.disk.makeDirectory('/logs/app.directory.log')
  await history.append('/logs/app.log', 'line\n')
  await history.run(10_000)
  expect(await delivered(history)).toEqual(['line'])
  expect(history.logger.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { fields: { path: '/logs/app.directory.log', reason: 'is a directory' } },
    { fields: { path: '/logs/app.pipe.log', reason: 'not a regular file' } },
  ])
  expect(opened).not.toContain('/logs/app.pipe.log')
})

test('a renamed file is found although its directory could not be listed once', async () => {
  let untilFailure = 0
  const history = await followed((disk) => ({
    ...disk,
    async list(directory) {
      if (--untilFailure === 0) throw failing('EMFILE', directory)
      return await disk.list(directory)
    },
  }))
  await history.append('/logs/app.job.log', 'first\n')
  expect(await delivered(history)).toEqual(['first'])
  // Closed when it is idle.
  await history.run(10_000)
  await history.append('/logs/app.job.log', 'second\n')
  await history.disk.rename('/logs/app.job.log', '/logs/done.log')
  // The first look is for the names that match, the second one for all names.
  untilFailure = 2
  expect(await delivered(history)).toEqual(['first', 'second'])
  expect(untilFailure).toBeLessThan(0)
})

test.each([
  ['is renamed after it was found', 'ENOENT'],
  ['fails to open and is then renamed', 'EMFILE'],
])('the lines of a known file that %s at the start are read', async (_, code) => {
  let beforeOpen = (_path: string) => {}
  const history = await followed((disk) => ({
    ...disk,
    async open(path, mode) {
      beforeOpen(path)
      return await disk.open(path, mode)
    },
  }))
  await history.append('/logs/app.job.log', 'first\n')
  expect(await delivered(history)).toEqual(['first'])
  await history.stop()
  await history.append('/logs/app.job.log', 'second\n')
  let renamed: Promise<void> | undefined
  beforeOpen = (path) => {
    if (path !== '/logs/app.job.log') return
    renamed ??= history.disk.rename(path, '/logs/done.log')
    throw failing(code, path)
  }
  await history.start()
  await history.run(6000)
  expect(await delivered(history)).toEqual(['first', 'second'])
  expect(renamed).toBeDefined()
})

test('a directory that cannot be listed does not stop the others, and its files do not count as removed', async () => {
  let isDown = false
  const history = await followed((disk) => ({
    ...disk,
    async list(directory) {
      if (isDown) throw failing('EIO', directory)
      return await disk.list(directory)
    },
  }))
  await history.append('/logs/app.log', 'one\n')
  await history.run(8000)
  isDown = true
  await history.run(8000)
  isDown = false
  await history.append('/logs/app.log', 'two\n')
  expect(await delivered(history)).toEqual(['one', 'two'])
  expect(history.logger.messages('warn')).toHaveLength(1)
})

test('many small files share the syncs of a file channel', async () => {
  const history = new PositionHistory({ channels: ['file'], isSplit: false, capacity: 10_000 })
  // Each sync takes 3 ms: the puts of that time share the next sync.
  history.channelDisk = (disk) => ({
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode)
      return {
        ...file,
        async sync() {
          await new Promise<void>((resolve) => history.clock.setTimer(3, resolve))
          await file.sync()
        },
      }
    },
  })
  await history.startWhileTimePasses()
  for (let n = 0; n < 200; n++) await history.append(`/logs/app.${n}.log`, `1\n2\n`)
  let syncs = 0
  history.onChange = (operation, path) => {
    if (operation === 'sync' && path.includes('/data/log-')) syncs++
  }
  expect(await delivered(history)).toHaveLength(400)
  // There was a sync for each file once.
  expect(syncs).toBeLessThan(60)
})

test('1,000 idle files cost one status read a scan, and no read', async () => {
  const counts = { stats: 0, reads: 0, lists: 0 }
  const history = await followed((disk) => ({
    ...disk,
    async stat(path) {
      counts.stats++
      return await disk.stat(path)
    },
    async list(directory) {
      counts.lists++
      return await disk.list(directory)
    },
    async open(path, mode) {
      const file = await disk.open(path, mode)
      return {
        ...file,
        async read(into, position) {
          counts.reads++
          return await file.read(into, position)
        },
      }
    },
  }))
  for (let n = 0; n < files; n++) await history.append(`/logs/app.${n}.log`, `line ${n}\n`)
  await history.run(10_000)
  Object.assign(counts, { stats: 0, reads: 0, lists: 0 })
  await history.run(20_000)
  expect(counts.reads).toBe(0)
  // All files were checked every 100 ms once: 200 rounds in this time.
  expect(counts.lists).toBeLessThanOrEqual(11)
  expect(counts.stats).toBeLessThanOrEqual(11 * (files + 10) + 100)
})
