// Rotation of a log file by size and age, reopening of a moved file, and refusal of lines that
// cannot be buffered, without ending or blocking the program.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  RotatedFile,
  type RotatedFileOptions,
} from '../../../../protocol/runtime/disk/rotatedFile.ts'
import { turns, until } from '../../../eventLoop.ts'

let directory: string
let path: string
let nowMs: number
let troubles: string[]
let ends: (() => void)[]
let later: (() => void)[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rotated-'))
  path = join(directory, 'x.log')
  nowMs = Date.now()
  troubles = []
  ends = []
  later = []
})
afterEach(() => rmSync(directory, { recursive: true }))

function open(options: Partial<RotatedFileOptions> = {}): RotatedFile {
  const file = new RotatedFile({
    ...{ path, maxBytes: 0, maxAgeMs: 0, keptFiles: 2 },
    nowMs: () => nowMs,
    process: {
      later: (_ms, callback) => later.push(callback),
      atEnd: (callback) => ends.push(callback),
      pause: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
    },
    onTrouble: (message) => troubles.push(message),
    ...options,
  })
  file.atEnd(() => {})
  return file
}

const read = (suffix = '') => {
  const file = path + suffix
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** Writes one line, and waits until the current file contains it. */
async function line(file: RotatedFile, text: string): Promise<void> {
  expect(file.write(Buffer.from(`${text}\n`))).toBe(text.length + 1)
  await until(() => read()?.includes(text) === true)
}

test('the file is rotated before its size is exceeded, and the oldest ones are removed', async () => {
  const file = open({ maxBytes: 10 })
  for (const text of ['1111', '2222', '3333', '4444', '5555', '6666', '7777'])
    await line(file, text)
  expect(read()).toBe('7777\n')
  expect(read('.1')).toBe('5555\n6666\n')
  expect(read('.2')).toBe('3333\n4444\n')
  expect(read('.3')).toBeUndefined()
})

test('10,000 lines logged at once are all written, in files within their limit', async () => {
  const file = open({ maxBytes: 100_000, keptFiles: 30 })
  const lines = Array.from({ length: 10_000 }, (_, at) => `${at} ${'x'.repeat(200)}\n`)
  for (const text of lines) expect(file.write(Buffer.from(text))).toBe(text.length)
  await until(() => read()?.includes(`\n9999 `) === true)
  const suffixes = Array.from({ length: 30 }, (_, at) => `.${30 - at}`)
  const files = [...suffixes, ''].map(read).filter((text) => text !== undefined)
  expect(files.join('') === lines.join('')).toBe(true)
  expect(files.length).toBeGreaterThan(20)
  for (const text of files) expect(text.length).toBeLessThanOrEqual(100_000)
})

test('a line larger than the maximum size is written', async () => {
  const file = open({ maxBytes: 10 })
  await line(file, 'x'.repeat(100))
  await line(file, 'after')
  expect(read()).toBe('after\n')
})

test('the file is rotated at its maximum age, also across a restart', async () => {
  await line(open({ maxAgeMs: 60_000 }), 'old')
  nowMs += 50_000
  await line(open({ maxAgeMs: 60_000 }), 'not yet')
  expect(read('.1')).toBeUndefined()
  nowMs += 50_000
  const file = open({ maxAgeMs: 60_000 })
  await line(file, 'new')
  expect(read()).toBe('new\n')
  expect(read('.1')).toBe('old\nnot yet\n')
})

test('no rotated file is kept with keptFiles 0', async () => {
  const file = open({ maxBytes: 5, keptFiles: 0 })
  for (const text of ['1111', '2222']) await line(file, text)
  expect(read()).toBe('2222\n')
  expect(read('.1')).toBeUndefined()
})

test('a file that was moved is reopened at its path', async () => {
  const file = open()
  await line(file, 'before')
  renameSync(path, `${path}-20260101`)
  nowMs += 1_000
  await line(file, 'after')
  expect(read()).toBe('after\n')
  expect(read('-20260101')).toBe('before\n')
})

test('a failed rotation keeps the old file and is retried later', async () => {
  const file = open({ maxBytes: 5 })
  await line(file, '1111')
  // A directory in the place of the oldest one: neither removed nor replaced.
  mkdirSync(`${path}.2`)
  mkdirSync(`${path}.2/held`)
  await line(file, '2222')
  expect(read()).toBe('1111\n2222\n')
  expect(troubles).toEqual([expect.stringMatching(/failed to rotate .*x\.log/)])
  rmSync(`${path}.2`, { recursive: true })
  nowMs += 60_000
  await line(file, '3333')
  expect(read()).toBe('3333\n')
})

test('a removed directory is reported once, and the file is reopened when the directory exists again', async () => {
  const file = open()
  await line(file, 'before')
  const removed = openSync(path, 'r')
  rmSync(directory, { recursive: true })
  for (let sizeBytes = 7; sizeBytes < 50; ) {
    nowMs += 1_000
    sizeBytes += file.write(Buffer.from('nobody reads this\n'))
    await until(() => fstatSync(removed).size === sizeBytes)
  }
  closeSync(removed)
  expect(troubles).toEqual([expect.stringMatching(/failed to open .*x\.log.*ENOENT/)])
  mkdirSync(directory)
  nowMs += 1_000
  await line(file, 'after')
  expect(read()).toBe('after\n')
  rmSync(directory, { recursive: true })
  nowMs += 1_000
  file.write(Buffer.from('nor this\n'))
  await until(() => troubles.length === 2)
  mkdirSync(directory)
})

test('two programs that log to one file lose no line, and rotate it by its total size', async () => {
  const files = [open({ maxBytes: 2_000, keptFiles: 50 }), open({ maxBytes: 2_000, keptFiles: 50 })]
  const expected: string[] = []
  for (let round = 0; round < 500; round++) {
    for (const [program, file] of files.entries()) {
      const text = `program ${program} line ${round}`
      expected.push(text)
      file.write(Buffer.from(`${text}\n`))
    }
    if (round % 10 === 0) {
      nowMs += 1_000
      await turns(20)
    }
  }
  const all = () => {
    const names = readdirSync(directory)
    return names.flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
  }
  await until(() => all().length === expected.length)
  expect(all().sort()).toEqual(expected.sort())
  // 22 KB of lines: a file that one program has just rotated is not rotated again by the other.
  expect(readdirSync(directory).length).toBeLessThan(20)
  expect(troubles).toEqual([])
})

test('lines whose write failed are written at exit', async () => {
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const file = open()
  const bytes = Buffer.alloc(100 * 1024, 'x')
  file.write(bytes)
  // The pipe is full.
  await until(() => later.length === 1)
  file.write(Buffer.from('behind\n'))
  let got = Buffer.alloc(0)
  const drain = () => {
    const chunk = Buffer.alloc(256 * 1024)
    got = Buffer.concat([got, chunk.subarray(0, readSync(reader, chunk))])
  }
  drain()
  for (const end of ends) end()
  drain()
  closeSync(reader)
  expect(got.toString()).toBe(`${bytes}behind\n`)
})

test('buffered lines are written at exit', () => {
  const file = open()
  for (let at = 0; at < 100; at++) file.write(Buffer.from(`${at}\n`))
  for (const end of ends) end()
  const lines = Array.from({ length: 100 }, (_, at) => `${at}\n`).join('')
  expect(read()).toBe(lines)
  file.write(Buffer.from('the last one\n'))
  expect(read()).toBe(`${lines}the last one\n`)
})

test('a named pipe without a reader is refused without blocking', () => {
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  expect(() => open()).toThrow(/ENXIO/)
})

test('a line that does not fit into the buffer is refused with the reason of the failure', async () => {
  // Every write to this device fails as on a full disk.
  const file = open({ path: '/dev/full' })
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  file.write(chunk)
  await until(() => later.length === 1)
  for (let sent = 0; sent < 4; sent++) file.write(chunk)
  expect(() => file.write(chunk)).toThrow(/ENOSPC/)
  for (const end of ends) end()
})
