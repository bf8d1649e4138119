// House rules for comments: they fit the page, and they name files that exist.

import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commentLines, files, type Line, sources, trackedFiles } from './sources.ts'

const mostColumns = 100

const names = new Set(trackedFiles.map((file) => basename(file)))

describe('comments', () => {
  test('are wrapped at 100 columns', () => {
    expect(files.flatMap(commentLines).filter(isTooLong).map(describeLine)).toEqual([])
  })

  test('name files that exist', () => {
    expect(sources.flatMap(commentLines).flatMap(missingFiles)).toEqual([])
  })

  test('the rules bite', () => {
    const line = (text: string): Line => ({ file: 'broker/broker.ts', number: 1, text })
    expect(isTooLong(line(`// ${'x'.repeat(98)}`))).toBe(true)
    expect(isTooLong(line(`// ${'x'.repeat(97)}`))).toBe(false)
    expect(isTooLong(line(`// https://kafka.apache.org/${'x'.repeat(98)}`))).toBe(false)
    expect(missingFiles(line('// See broker/log/lostFile.ts.'))).toHaveLength(1)
    expect(missingFiles(line('// See broker.ts and protocol/runtime/time/clock.ts.'))).toEqual([])
  })
})

/** An address on the web cannot be wrapped. */
function isTooLong({ text }: Line): boolean {
  return text.length > mostColumns && !/https?:\/\/\S{60,}/.test(text)
}

/** What a comment calls `name.ts`, or `folder/name.ts`, is a file of the project. */
function missingFiles(line: Line): string[] {
  const named = [...line.text.matchAll(/(?<![\w*<{-])((?:[\w.-]+\/)*[\w.-]+\.ts)\b(?!\/)/g)]
  return named
    .map((match) => match[1]!)
    .filter((name) => !isExample(name) && !exists(name))
    .map((name) => `${describeLine(line)} names ${name}`)
}

function exists(name: string): boolean {
  if (!name.includes('/')) return names.has(name)
  return trackedFiles.some(
    (file) => file === name || file.endsWith(`/${name.replace(/^(\.{1,2}\/)+/, '')}`),
  )
}

/** Modules that a comment makes up: `my-job.ts`, `./my-sink.ts`. */
function isExample(name: string): boolean {
  return /(^|\/)(my-|purchases\.ts$|job\.ts$)/.test(name)
}

function describeLine({ file, number }: Line): string {
  return `${file}:${number}`
}
