import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'

async function write(disk: MemoryDisk, path: string, text: string, position = 0) {
  const file = await disk.open(path, 'write')
  await file.write([Buffer.from(text)], position)
  return file
}

async function text(disk: MemoryDisk, path: string): Promise<string | undefined> {
  return (await disk.readFile(path))?.toString()
}

describe('without a crash', () => {
  test('reads written bytes, also at the end of the file', async () => {
    const disk = new MemoryDisk()
    const file = await write(disk, '/log', 'hello')
    await file.write([Buffer.from('wor'), Buffer.from('ld')], 8)
    const into = Buffer.alloc(20)
    expect(await file.read(into, 0)).toBe(13)
    expect(into.toString('latin1', 0, 13)).toBe('hello\0\0\0world')
    await file.truncate(5)
    await file.truncate(7)
    expect(await text(disk, '/log')).toBe('hello\0\0')
    expect(await file.stat()).toMatchObject({ sizeBytes: 7, isDirectory: false })
  })

  test('writes what fits into a bounded disk, and has space again after a removal', async () => {
    const disk = new MemoryDisk({ sizeBytes: 4 * 4096 })
    await disk.makeDirectory('/a')
    const file = await write(disk, '/a/file', 'x'.repeat(4000))
    expect(await disk.freeBytes()).toBe(4096)
    const more = file.write([Buffer.alloc(6000)], 4000)
    await expect(more).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await file.stat()).toMatchObject({ sizeBytes: 8192 })
    await expect(disk.makeDirectory('/b')).rejects.toMatchObject({ code: 'ENOSPC' })
    await file.write([Buffer.from('in place')], 0)
    await disk.remove('/a/file')
    expect(await disk.freeBytes()).toBe(2 * 4096)
    await disk.makeDirectory('/b')
  })

  test('renames files and directories with their contents, and keeps their identity', async () => {
    const disk = new MemoryDisk()
    await disk.makeDirectory('/a/b')
    const file = await write(disk, '/a/b/one', '1')
    const { inode } = await file.stat()
    await disk.rename('/a/b', '/a/c')
    expect(await disk.list('/a')).toEqual(['c'])
    expect(await disk.stat('/a/c/one')).toMatchObject({ inode })
    await disk.remove('/a')
    expect(await disk.list('/')).toEqual([])
  })

  test('reports paths that do not exist', async () => {
    const disk = new MemoryDisk()
    expect(await disk.readFile('/x')).toBeUndefined()
    await expect(disk.open('/x', 'read')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.open('/no/x', 'write')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.list('/no')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('locks a directory until it is released', async () => {
    const disk = new MemoryDisk()
    const lock = await disk.lock('/data')
    await expect(disk.lock('/data')).rejects.toBeInstanceOf(DirectoryInUseError)
    await lock.release()
    await disk.lock('/data')
  })
})

describe('a crash', () => {
  test('keeps synced contents and names, and loses the rest', async () => {
    const disk = new MemoryDisk()
    const file = await write(disk, '/log', 'safe')
    await file.sync()
    await disk.syncDirectory('/')
    await file.write([Buffer.from('lost')], 4)
    await write(disk, '/other', 'nobody synced the directory')
    disk.crash()
    expect(await text(disk, '/log')).toBe('safe')
    expect(await disk.list('/')).toEqual(['log'])
  })

  test('loses a synced file or directory whose parent directory was not synced', async () => {
    const disk = new MemoryDisk()
    await disk.makeDirectory('/d')
    await (await write(disk, '/d/log', 'x')).sync()
    await disk.syncDirectory('/d')
    disk.crash()
    expect(await disk.list('/')).toEqual([])
  })

  test('ends open files, locks and pending operations', async () => {
    const disk = new MemoryDisk()
    await disk.lock('/')
    const file = await write(disk, '/log', 'x')
    const underWay = file.sync()
    disk.crash()
    await expect(underWay).rejects.toMatchObject({ code: 'ECRASHED' })
    await expect(file.write([], 0)).rejects.toMatchObject({ code: 'ECRASHED' })
    await disk.lock('/')
  })

  test('keeps a prefix of unsynced writes, torn at any byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.string({ maxLength: 9 })), async (seed, parts) => {
        const disk = new MemoryDisk()
        const file = await write(disk, '/log', 'synced;')
        await file.sync()
        await disk.syncDirectory('/')
        let whole = 'synced;'
        for (const part of parts) {
          await file.write([Buffer.from(part)], Buffer.byteLength(whole))
          whole += part
        }
        disk.crash({ keepUnsynced: seededRandom(seed) })
        const left = (await disk.readFile('/log'))!
        expect(Buffer.from(whole).subarray(0, left.length).equals(left)).toBe(true)
        expect(left.length).toBeGreaterThanOrEqual(7)
      }),
    )
  })

  test('leaves an atomically replaced file with its old or new content at every step', async () => {
    const seen = new Set<string | undefined>()
    for (let crashAt = 1; crashAt <= 6; crashAt++) {
      let changes = 0
      const disk: MemoryDisk = new MemoryDisk({
        beforeChange: () => {
          if (++changes === crashAt + 6) disk.crash({ keepUnsynced: seededRandom(crashAt) })
        },
      })
      await disk.writeFileAtomic('/config', Buffer.from('old'))
      await disk.writeFileAtomic('/config', Buffer.from('new')).catch(() => {})
      disk.crash({ keepUnsynced: seededRandom(crashAt) })
      seen.add(await text(disk, '/config'))
    }
    expect([...seen].sort()).toEqual(['new', 'old'])
  })
})
