// Programs whose standard output or standard error cannot be written: a full disk (/dev/full), a
// pipe without a reader, a pipe whose reader does not read. With real processes, because the errors
// are the system's.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const listening = /listening on 127\.0\.0\.1:(\d+)/

let directory: string
const children: ChildProcess[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-output-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
  }
})
afterAll(() => rm(directory, { recursive: true, force: true }))

type Stream = 'pipe' | 'ignore' | number

function start(words: readonly string[], [stdout, stderr]: [Stream, Stream], tmp?: string) {
  const child = spawn(process.execPath, ['millrace.ts', ...words], {
    cwd: root,
    stdio: ['ignore', stdout, stderr],
    env: { ...process.env, ...(tmp !== undefined && { TMPDIR: tmp }) },
  })
  children.push(child)
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal)),
  )
  return { child, ended }
}

/** Resolves with the match once the stream has printed it. */
function printed(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.on('data', (chunk: Buffer) => {
      text += chunk
      const match = pattern.exec(text)
      if (match) resolve(match)
    })
    stream.once('end', () => reject(new Error(`ended after:\n${text}`)))
  })
}

/** Sends bytes that are not a Kafka request. Resolves when the broker has closed the connection. */
function sendGarbage(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.alloc(64, 0xff)))
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.resume()
  })
}

describe('a broker that cannot write its log continues to serve', () => {
  const words = (name: string) => ['broker', '--port', '0', '--data', join(directory, name)]

  test.runIf(existsSync('/dev/full'))('as its disk is full', async () => {
    const full = await open('/dev/full', 'w')
    const { child, ended } = start(words('full'), ['pipe', full.fd])
    await full.close()
    const [, port] = await printed(child.stdout!, listening)
    for (let frame = 0; frame < 3; frame++) await sendGarbage(Number(port))
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  test('when the reader of its pipe has exited', async () => {
    const { child, ended } = start(words('closed'), ['pipe', 'pipe'])
    child.stderr!.destroy()
    const [, port] = await printed(child.stdout!, listening)
    for (let frame = 0; frame < 3; frame++) await sendGarbage(Number(port))
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  test('when the reader of its pipe does not read, and reports the number of lost lines afterwards', async () => {
    const { child, ended } = start(words('stuck'), ['pipe', 'pipe'])
    const [, port] = await printed(child.stdout!, listening)
    // Each closed connection logs a line of about 200 bytes: more than pipe and backlog hold
    // together.
    for (let round = 0; round < 40; round++) {
      await Promise.all(Array.from({ length: 60 }, () => sendGarbage(Number(port))))
    }
    const [, lost] = await printed(child.stderr!, /"lost":(\d+),"reason":"EAGAIN"/)
    expect(Number(lost)).toBeGreaterThan(0)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 60_000)

  test('when even the first line fails', async () => {
    const { child, ended } = start(words('silent'), ['pipe', 'pipe'])
    child.stdout!.destroy()
    await printed(child.stderr!, /"msg":"broker started"/)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})

describe('the demo', () => {
  async function ownTmp(name: string): Promise<string> {
    return await mkdtemp(join(directory, name))
  }

  test('exits without an error and leaves no files when the reader of its output has exited', async () => {
    const tmp = await ownTmp('head')
    const words = ['demo', '--port', '0', '--console-port', '0']
    const { child, ended } = start(words, ['pipe', 'pipe'], tmp)
    let complaints = ''
    child.stderr!.on('data', (chunk) => {
      complaints += chunk
    })
    // As `head -1` does: reads a line and exits.
    child.stdout!.once('data', () => child.stdout!.destroy())
    expect(await ended).toBe(0)
    expect(complaints).not.toMatch(/EPIPE|Error|at /)
    expect(await readdir(tmp)).toEqual([])
  }, 60_000)

  test.runIf(existsSync('/dev/full'))(
    'reports that its result cannot be written',
    async () => {
      const tmp = await ownTmp('full')
      const full = await open('/dev/full', 'w')
      const words = ['demo', '--once', '--json', '--input', 'agent/orders.conf', '--port', '0']
      const { child, ended } = start(words, [full.fd, 'pipe'], tmp)
      await full.close()
      const [message] = await printed(
        child.stderr!,
        /millrace: cannot write to standard output.*\n/,
      )
      expect(message).toMatch(/no space left on device/)
      expect(await ended).toBe(1)
      expect(await readdir(tmp)).toEqual([])
    },
    60_000,
  )
})
