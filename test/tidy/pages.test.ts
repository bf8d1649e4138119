// House rules for pages: what they link to, and the files that they name, exist; lines are short.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pageOf, root, trackedFiles } from './sources.ts'

const mostColumns = 120

const pages = trackedFiles.filter(
  (file) => file.endsWith('.md') && !file.startsWith('docs/reference/'),
)

describe('pages', () => {
  test('link to files that exist', () => {
    expect(pages.flatMap(brokenLinks)).toEqual([])
  })

  test('name paths that exist', () => {
    expect(pages.flatMap(missingPaths)).toEqual([])
  })

  test('written by hand are wrapped at 120 columns', () => {
    expect(pages.filter((page) => !isGenerated(pageOf(page))).flatMap(longLines)).toEqual([])
  })

  test('the rules bite', () => {
    const word = 'x'.repeat(mostColumns)
    expect(tooLong(`${word} y`)).toBe(true)
    expect(tooLong(`| ${word} |`)).toBe(false)
    expect(tooLong(word)).toBe(false)
    expect(linksIn('[a](lost.md#part) and [b](https://kafka.apache.org) and [c](#part)')).toEqual([
      'lost.md',
    ])
    expect(
      pathsIn('`broker/log/x.ts` and `test/broker` and `orders-0` and `agent/sinks/`'),
    ).toEqual(['broker/log/x.ts', 'test/broker', 'agent/sinks/'])
  })
})

function brokenLinks(page: string): string[] {
  return linksIn(textOf(page))
    .filter((link) => !existsSync(join(root, dirname(page), link)))
    .map((link) => `${page} links to ${link}`)
}

function missingPaths(page: string): string[] {
  return pathsIn(textOf(page))
    .filter((path) => !existsSync(join(root, path)))
    .map((path) => `${page} names ${path}`)
}

function longLines(page: string): string[] {
  return textOf(page)
    .split('\n')
    .filter(tooLong)
    .map((line) => `${page}: ${line}`)
}

/** Rows of tables cannot be wrapped, and neither can a single word, such as an address. */
function tooLong(line: string): boolean {
  return line.length > mostColumns && !line.startsWith('|') && line.trim().includes(' ')
}

/** `npm run docs` says so in the first line of the pages that it writes. */
function isGenerated(text: string): boolean {
  return text.startsWith('<!-- Written by `npm run docs`')
}

function textOf(page: string): string {
  return pageOf(page).replace(/^```[\s\S]*?^```/gm, '')
}

function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!.replace(/#.*$/, ''))
    .filter((link) => link !== '' && !/^[a-z]+:/.test(link))
}

/** Paths from the root in backquotes; names with capitals stand for something else. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/`((?:protocol|broker|agent|engine|test|docs|\.ci)\/[\w./-]*)`/g)]
    .map((match) => match[1]!)
    .filter((path) => !/[A-Z]{2,}/.test(path.replace(/README|ARCHITECTURE|CONTRIBUTING/, '')))
}
