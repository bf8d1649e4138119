import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codeCacheDirectory, isWritableDirectory } from '../../../protocol/runtime/codeCache.ts'

const installed = {
  url: 'file:///usr/lib/node_modules/millrace/millrace.js',
  platform: 'linux',
  environment: {},
  home: () => '/home/ann',
} as const

test('a checkout keeps compiled code below its node_modules', () => {
  const url = 'file:///src/millrace/millrace.ts'
  const directory = '/src/millrace/node_modules/.cache/compile'
  expect(codeCacheDirectory({ ...installed, url })).toBe(directory)
})

test('a package keeps compiled code in the cache directory of the user, by the convention of the system', () => {
  expect(codeCacheDirectory(installed)).toBe('/home/ann/.cache/millrace/compile')
  const named = { XDG_CACHE_HOME: '/var/cache/ann' }
  expect(codeCacheDirectory({ ...installed, environment: named })).toBe(
    '/var/cache/ann/millrace/compile',
  )
  expect(codeCacheDirectory({ ...installed, platform: 'darwin' })).toBe(
    '/home/ann/Library/Caches/millrace/compile',
  )
})

test('a relative XDG_CACHE_HOME is ignored, as its specification says', () => {
  const environment = { XDG_CACHE_HOME: 'cache' }
  expect(codeCacheDirectory({ ...installed, environment })).toBe(
    '/home/ann/.cache/millrace/compile',
  )
})

test('no cache for a user without a home directory, nor where NODE_COMPILE_CACHE has named one', () => {
  const home = () => {
    throw new Error('no such user')
  }
  expect(codeCacheDirectory({ ...installed, home })).toBeUndefined()
  const environment = { NODE_COMPILE_CACHE: '/tmp/node' }
  expect(codeCacheDirectory({ ...installed, environment })).toBeUndefined()
})

test('a directory that exists or can be created is writable; one below a file is not', async () => {
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
