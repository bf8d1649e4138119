import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk/disk.ts'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'

let directory: string
let files = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-disk-'))
})

afterAll(() => rm(directory, { recursive: true }))

const fresh = () => join(directory, `file${files++}`)

describe('a file', () => {
  it('stores bytes at their positions, however they are chunked', async () => {
    const write = fc.record({
      position: fc.nat({ max: 300 }),
      chunks: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 6 }), async (writes) => {
        const file = await nodeDisk.open(fresh(), 'write')
        const model = Buffer.alloc(1_000)
        let size = 0
        for (const { position, chunks } of writes) {
          await file.write(chunks, position)
          const bytes = Buffer.concat(chunks)
          bytes.copy(model, position)
          if (bytes.length > 0) size = Math.max(size, position + bytes.length)
        }
        expect((await file.stat()).sizeBytes).toBe(size)
        const content = Buffer.alloc(size + 10)
        expect(await file.read(content, 0)).toBe(size)
        expect(content.subarray(0, size).equals(model.subarray(0, size))).toBe(true)
        await file.close()
      }),
      { numRuns: 50 },
    )
  })

  it('keeps its content when opened for synced writes', async () => {
    const path = fresh()
    for (const [position, text] of ['some', ' bytes'].entries()) {
      const file = await nodeDisk.open(path, 'writeSynced')
      await file.write([Buffer.from(text)], position * 4)
      await file.close()
    }
    expect((await nodeDisk.readFile(path))?.toString()).toBe('some bytes')
  })

  it('writes more chunks than one system call allows', async () => {
    const file = await nodeDisk.open(fresh(), 'write')
    const chunks = Array.from({ length: 5_000 }, (_, at) => Buffer.from([at & 0xff, at >> 8]))
    await file.write(chunks, 3)
    await file.sync()
    const content = Buffer.alloc(10_003)
    expect(await file.read(content, 0)).toBe(10_003)
    expect(content.subarray(3).equals(Buffer.concat(chunks))).toBe(true)
    await file.close()
  })

  it('reads up to its end, and no truncated bytes', async () => {
    const file = await nodeDisk.open(fresh(), 'write')
    await file.write([Buffer.from('0123456789')], 0)
    const into = Buffer.alloc(8)
    expect(await file.read(into, 6)).toBe(4)
    expect(into.subarray(0, 4).toString()).toBe('6789')
    expect(await file.read(into, 100)).toBe(0)
    await file.truncate(5)
    expect((await file.stat()).sizeBytes).toBe(5)
    await file.truncate(7)
    expect(await file.read(into, 0)).toBe(7)
    expect(into.subarray(0, 7).toString()).toBe('01234\0\0')
    await file.close()
  })

  it('is not created for reading, and keeps its content when opened for writing', async () => {
    const path = fresh()
    await expect(nodeDisk.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(path, 'kept')
    const file = await nodeDisk.open(path, 'write')
    expect((await file.stat()).sizeBytes).toBe(4)
    await file.close()
    const reader = await nodeDisk.open(path, 'read')
    await expect(reader.write([Buffer.from('x')], 0)).rejects.toThrow()
    await reader.close()
  })

  it('keeps its identity when renamed', async () => {
    const [from, to] = [fresh(), fresh()]
    await writeFile(from, 'x')
    const before = await nodeDisk.stat(from)
    await nodeDisk.rename(from, to)
    const after = await nodeDisk.stat(to)
    expect(after?.inode).toBe(before?.inode)
    expect(after?.device).toBe(before?.device)
    expect(await nodeDisk.stat(from)).toBeUndefined()
  })
})

describe('small files', () => {
  it('are replaced atomically and leave no temporary file', async () => {
    const folder = fresh()
    await nodeDisk.makeDirectory(folder)
    const path = join(folder, 'checkpoint')
    expect(await nodeDisk.readFile(path)).toBeUndefined()
    for (const content of ['first, and longer', 'second']) {
      await nodeDisk.writeFileAtomic(path, Buffer.from(content))
      expect((await nodeDisk.readFile(path))?.toString()).toBe(content)
    }
    expect(await nodeDisk.list(folder)).toEqual(['checkpoint'])
  })
})

describe('directories', () => {
  it('are created with their parents, listed in order, and removed with their contents', async () => {
    const folder = join(fresh(), 'deep', 'down')
    await nodeDisk.makeDirectory(folder)
    await nodeDisk.makeDirectory(folder)
    for (const name of ['b', 'a', 'c']) await writeFile(join(folder, name), '')
    expect(await nodeDisk.list(folder)).toEqual(['a', 'b', 'c'])
    await nodeDisk.syncDirectory(folder)
    await symlink(folder, `${folder}-link`)
    expect((await nodeDisk.stat(`${folder}-link`))?.isDirectory).toBe(true)
    await nodeDisk.remove(folder)
    await nodeDisk.remove(folder)
    expect(await nodeDisk.stat(folder)).toBeUndefined()
    await expect(nodeDisk.list(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('report free and total space', async () => {
    const freeBytes = await nodeDisk.freeBytes(directory)
    expect(freeBytes).toBeGreaterThan(0)
    expect(await nodeDisk.maxOpenFiles()).toBeGreaterThan(100)
    expect(await nodeDisk.totalBytes(directory)).toBeGreaterThan(freeBytes)
  })
})

describe('a lock', () => {
  it('is acquired once, and again after its release', async () => {
    const folder = fresh()
    const lock = await nodeDisk.lock(folder)
    await expect(nodeDisk.lock(folder)).rejects.toBeInstanceOf(DirectoryInUseError)
    await lock.release()
    const again = await nodeDisk.lock(folder)
    await again.release()
  })

  it('excludes a second process, and ends with its process', async () => {
    const folder = fresh()
    const holder = await lockInChild(folder)
    expect(holder.answer).toBe('locked')
    const refused = nodeDisk.lock(folder)
    await expect(refused).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE', directory: folder })
    await expect(refused).rejects.toThrow('in use by another process')
    await holder.kill()
    const lock = await nodeDisk.lock(folder)
    const second = await lockInChild(folder)
    expect(second.answer).toBe('DIRECTORY_IN_USE')
    await second.kill()
    await lock.release()
  })
})

/** Locks the directory in another process, which then lives until killed (SIGKILL). */
async function lockInChild(folder: string) {
  const module = new URL('../../../../protocol/runtime/disk/nodeDisk.ts', import.meta.url)
  const script = `
    const { nodeDisk } = await import(${JSON.stringify(module.href)})
    const answer = await nodeDisk.lock(process.argv[1]).then(() => 'locked', (error) => error.code)
    console.log(answer)
    setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [data] = await once(child.stdout, 'data')
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { answer: String(data).trim(), kill }
}
