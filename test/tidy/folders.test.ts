// House rules for folders: a folder that is too large to be seen at a glance has a README.md with
// what it is, a map, its contract, and what it must never do; and the map is true.

import { basename, dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pageOf, rooms, trackedFiles } from './sources.ts'

/** A folder with more files and folders has a page. */
const mostEntries = 8

const code = trackedFiles.filter((file) => /\.(?:ts|cjs|mjs)$/.test(file))
const folders = [...new Set(code.map((file) => dirname(file)))].filter((folder) => folder !== '.')
const withPage = folders.filter((folder) => trackedFiles.includes(`${folder}/README.md`))

describe('folders', () => {
  test('the rooms, and folders with more than eight entries, have a page', () => {
    expect(folders.filter(needsPage).filter((folder) => !withPage.includes(folder))).toEqual([])
  })

  test('a page says what the folder is, its contract, and what it must never do', () => {
    const pages = withPage.map((folder) => ({ folder, text: pageOf(`${folder}/README.md`) }))
    expect(pages.flatMap(({ folder, text }) => missingParts(folder, text))).toEqual([])
  })

  test('the map of a page names every file and folder, and only these', () => {
    const wrong = withPage.flatMap((folder) =>
      mapMistakes(pageOf(`${folder}/README.md`), entriesOf(folder)).map(
        (mistake) => `${folder}/README.md ${mistake}`,
      ),
    )
    expect(wrong).toEqual([])
  })

  test('the rules bite', () => {
    const map =
      '## Map\n\n| | |\n|---|---|\n| `log.ts`, `*Index.ts` | one |\n| `cleaner/` | two |\n'
    const entries = ['log.ts', 'timeIndex.ts', 'cleaner/']
    expect(mapMistakes(map, entries)).toEqual([])
    expect(mapMistakes(map, [...entries, 'segment.ts'])).toEqual(['does not name segment.ts'])
    expect(mapMistakes(map, ['log.ts', 'timeIndex.ts'])).toEqual(['names cleaner/'])
    expect(mapMistakes(map, ['log.ts', 'cleaner/'])).toEqual(['names *Index.ts'])
    expect(missingParts('broker/log', '# broker/log\n\n## Map\n\n## Contract\n')).toEqual([
      'broker/log/README.md has no "## Never"',
    ])
    expect(missingParts('broker/log', '# log\n\n## Map\n\n## Contract\n\n## Never\n')).toEqual([
      'broker/log/README.md has no "# broker/log"',
    ])
  })
})

/** A folder of tests that mirrors a folder of the product is explained by that folder's page. */
function needsPage(folder: string): boolean {
  if ((rooms as readonly string[]).includes(folder)) return true
  if (folders.includes(folder.replace(/^test\//, '')))
    return !folder.startsWith('test/') && isLarge(folder)
  return isLarge(folder)
}

function isLarge(folder: string): boolean {
  return entriesOf(folder).length > mostEntries
}

function missingParts(folder: string, text: string): string[] {
  const parts = [`# ${folder}`, '## Map', '## Contract', '## Never']
  const lines = text.split('\n')
  return parts
    .filter((part) => !lines.includes(part))
    .map((part) => `${folder}/README.md has no "${part}"`)
}

/** Code files by name, folders with a slash at the end. */
function entriesOf(folder: string): string[] {
  const files = code.filter((file) => dirname(file) === folder).map((file) => basename(file))
  const inside = folders.filter((each) => each.startsWith(`${folder}/`))
  const children = inside.map((each) => `${each.slice(folder.length + 1).split('/')[0]}/`)
  return [...files, ...new Set(children)]
}

/** The first column of the tables below "## Map" holds the names; `*` stands for any letters. */
function mapMistakes(page: string, entries: readonly string[]): string[] {
  const map = page.split(/^## /m).find((part) => part.startsWith('Map\n')) ?? ''
  const cells = [...map.matchAll(/^\| ([^|]*)\|/gm)].map((match) => match[1]!)
  const names = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!))
  const patterns = names.map((name) => ({ name, pattern: patternOf(name) }))
  return [
    ...entries
      .filter((entry) => !patterns.some(({ pattern }) => pattern.test(entry)))
      .map((entry) => `does not name ${entry}`),
    ...patterns
      .filter(({ pattern }) => !entries.some((entry) => pattern.test(entry)))
      .map(({ name }) => `names ${name}`),
  ]
}

function patternOf(name: string): RegExp {
  const literal = name.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('*', '\\w*')}$`)
}
