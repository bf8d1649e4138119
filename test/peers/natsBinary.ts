// The nats-servers that tests run: the one that Debian packages, and a current one, which the first
// use builds with Go into node_modules/.cache. Without Go, the tests that need it are left out and
// say so.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasTool } from '../tools.ts'

const currentVersion = '2.15.2'
const cache = join(import.meta.dirname, '../../node_modules/.cache/go')
const folder = join(cache, `nats-server-${currentVersion}`)
const builtBinary = join(folder, 'nats-server')

export interface NatsBinary {
  readonly path: string
  readonly version: string
}

/** Debian's; undefined, with a message, where it is not installed. */
export function debianNatsServer(): NatsBinary | undefined {
  if (!hasTool('nats-server')) return undefined
  const path = spawnSync('which', ['nats-server'], { encoding: 'utf8' }).stdout.trim()
  return { path, version: versionOf(path) }
}

/** A current one; undefined, with a message, where it cannot be built. */
export async function currentNatsServer(): Promise<NatsBinary | undefined> {
  if (!existsSync(builtBinary)) {
    if (spawnSync('which', ['go']).status !== 0) {
      console.warn(`left out: nats-server ${currentVersion} is built with Go, which is missing`)
      return undefined
    }
    await build()
  }
  return { path: builtBinary, version: currentVersion }
}

async function build(): Promise<void> {
  const work = join(cache, `build-${process.pid}`)
  await mkdir(work, { recursive: true })
  try {
    const source = `github.com/nats-io/nats-server/v2@v${currentVersion}`
    const environment = { env: { ...process.env, GOBIN: work } }
    await promisify(execFile)('go', ['install', source], environment)
    // Atomic; another process may have been faster, with the same contents.
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(builtBinary)) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function versionOf(path: string): string {
  const printed = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout
  return /v(\d+\.\d+\.\d+)/.exec(printed)?.[1] ?? 'unknown'
}
