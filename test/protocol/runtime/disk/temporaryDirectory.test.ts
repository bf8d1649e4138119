import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'
import { makeTemporaryDirectory } from '../../../../protocol/runtime/disk/temporaryDirectory.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'

let parent: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'millrace-temporary-'))
})
afterEach(() => rm(parent, { recursive: true, force: true }))

const dependencies = () => ({ disk: nodeDisk, clock: systemClock, parent })
const make = () => makeTemporaryDirectory('demo-', dependencies())
const old = (path: string) => utimes(path, new Date(0), new Date(0))

/** Creates a directory as a killed process leaves it: with a lock that no process holds. */
async function leaveDead(name: string): Promise<string> {
  const path = join(parent, name)
  const lock = await nodeDisk.lock(path)
  await lock.release()
  await writeFile(join(path, 'data'), 'left')
  await old(path)
  return path
}

test('removes and reports the directories of ended processes', async () => {
  const dead = [await leaveDead('demo-a'), await leaveDead('demo-b')]
  const own = await make()
  expect([...own.removed].sort()).toEqual(dead)
  expect(await readdir(parent)).toEqual([basename(own.path)])
  await own.remove()
  expect(await readdir(parent)).toEqual([])
})

test('keeps the directory of a running process', async () => {
  const living = await make()
  await old(living.path)
  const own = await make()
  expect(own.removed).toEqual([])
  expect(await readdir(living.path)).toEqual(['.lock'])
  await living.remove()
  await own.remove()
})

test('keeps paths that were never locked, are new, are links, or have another name', async () => {
  await mkdir(join(parent, 'demo-unlocked'))
  await old(join(parent, 'demo-unlocked'))
  const dead = await leaveDead('other-a')
  await symlink(dead, join(parent, 'demo-link'))
  await utimes(await leaveDead('demo-young'), new Date(), new Date())
  const own = await make()
  expect(own.removed).toEqual([])
  expect(await readdir(dead)).toContain('data')
  await own.remove()
  expect((await readdir(parent)).sort()).toEqual([
    'demo-link',
    'demo-unlocked',
    'demo-young',
    'other-a',
  ])
})

test('a directory with a damaged lock stays and does not prevent the start', async () => {
  await mkdir(join(parent, 'demo-damaged/.lock/LOCK'), { recursive: true })
  await old(join(parent, 'demo-damaged'))
  const own = await make()
  expect(own.removed).toEqual([])
  await own.remove()
  expect(await readdir(parent)).toEqual(['demo-damaged'])
})
