import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  codeCacheDirectory,
  isWritableDirectory,
} from '../../../../protocol/runtime/process/codeCache.ts'

const installed = {
  url: 'file:///usr/lib/node_modules/millrace/millrace.js',
  platform: 'linux',
  environment: {},
  home: () => '/home/ann',
} as const

test('the cache of a checkout is below its node_modules', () => {
  const url = 'file:///src/millrace/millrace.ts'
  const directory = '/src/millrace/node_modules/.cache/compile'
  expect(codeCacheDirectory({ ...installed, url })).toBe(directory)
})

test("the cache of a package is in the user's cache directory, by the convention of the platform", () => {
  expect(codeCacheDirectory(installed)).toBe('/home/ann/.cache/millrace/compile')
  const named = { XDG_CACHE_HOME: '/var/cache/ann' }
  expect(codeCacheDirectory({ ...installed, environment: named })).toBe(
    '/var/cache/ann/millrace/compile',
  )
  expect(codeCacheDirectory({ ...installed, platform: 'darwin' })).toBe(
    '/home/ann/Library/Caches/millrace/compile',
  )
})

test('a relative XDG_CACHE_HOME is ignored', () => {
  const environment = { XDG_CACHE_HOME: 'cache' }
  expect(codeCacheDirectory({ ...installed, environment })).toBe(
    '/home/ann/.cache/millrace/compile',
  )
})

test('no cache is selected without a home directory, or when NODE_COMPILE_CACHE is set', () => {
  const home = () => {
    throw new Error('no such user')
  }
  expect(codeCacheDirectory({ ...installed, home })).toBeUndefined()
  const environment = { NODE_COMPILE_CACHE: '/tmp/node' }
  expect(codeCacheDirectory({ ...installed, environment })).toBeUndefined()
})

test('an existing or creatable directory is writable, one below a file is not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-cache-'))
  try {
    expect(isWritableDirectory(directory)).toBe(true)
    expect(isWritableDirectory(join(directory, 'not', 'yet'))).toBe(true)
    await writeFile(join(directory, 'file'), '')
    expect(isWritableDirectory(join(directory, 'file', 'below'))).toBe(false)
    await chmod(directory, 0o500)
    // Permissions do not bind root.
    if (process.getuid?.() !== 0) expect(isWritableDirectory(join(directory, 'new'))).toBe(false)
  } finally {
    await chmod(directory, 0o700)
    await rm(directory, { recursive: true, force: true })
  }
})
