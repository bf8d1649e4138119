// Type-checks and runs every example of the pages about jobs, unchanged, in a project that has
// Millrace as a dependency. A `text` block right after an example is its expected output.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const pages = ['batches', 'event-time', 'state', 'changing-a-job'] as const
const tsc = join(root, 'node_modules/typescript/bin/tsc')

interface Example {
  readonly page: string
  /** Line of the page on which the code begins. */
  readonly line: number
  readonly code: string
  /** The output of the example according to the page; undefined when the page has none. */
  readonly prints: string | undefined
}

const examples = pages.flatMap((page) => examplesOf(page, readPage(page)))
let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'millrace-docs-'))
  await mkdir(join(project, 'node_modules'))
  await symlink(root, join(project, 'node_modules/millrace'))
  await symlink(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'))
  await symlink(join(root, 'node_modules/typebox'), join(project, 'node_modules/typebox'))
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  for (const example of examples) await writeFile(fileOf(example), example.code)
})

afterAll(() => rm(project, { recursive: true, force: true }))

describe.each(pages)('docs/jobs/%s.md', (page) => {
  const own = examples.filter((example) => example.page === page)

  test('has examples', () => {
    expect(own.length).toBeGreaterThan(0)
  })

  test('has no dead links', () => {
    const links = [...readPage(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!)
    const dead = links.filter((link) => !link.includes('://') && !leadsSomewhere(page, link))
    expect(dead).toEqual([])
  })

  test.each(own)('line $line', async (example) => {
    const { error, printed } = await run([fileOf(example)])
    expect(error, printed).toBeUndefined()
    expect(onOneLine(printed)).toBe(onOneLine(example.prints ?? ''))
  })
})

test('the examples have no type errors', async () => {
  const options = ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck', '--noUnusedLocals']
  const target = ['--target', 'es2024', '--module', 'nodenext', '--types', 'node']
  const typescript = ['--erasableSyntaxOnly', '--allowImportingTsExtensions']
  const files = examples.map(fileOf)
  const { printed } = await run([tsc, ...options, ...target, ...typescript, ...files])
  expect(printed).toBe('')
})

test('a wrong example fails', async () => {
  const wrong: Example = {
    page: 'none',
    line: 1,
    code: "throw new Error('wrong')",
    prints: undefined,
  }
  await writeFile(fileOf(wrong), wrong.code)
  expect((await run([fileOf(wrong)])).error).toBeDefined()
  const page =
    '```ts\nlet a = 1\n```\n\n```text\nb\nc\n```\n\n```ts\nlet d\n```\n\ntext\n\n```text\ne\n```\n'
  expect(examplesOf('page', page)).toEqual([
    { page: 'page', line: 2, code: 'let a = 1\n', prints: 'b\nc\n' },
    { page: 'page', line: 11, code: 'let d\n', prints: undefined },
  ])
})

function examplesOf(page: string, markdown: string): Example[] {
  const found: Example[] = []
  const blocks = /^```ts\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?/gms
  for (const { 1: code, 2: prints, index } of markdown.matchAll(blocks)) {
    const line = markdown.slice(0, index).split('\n').length + 1
    found.push({ page, line, code: code!, prints })
  }
  return found
}

function readPage(page: string): string {
  return readFileSync(join(root, `docs/jobs/${page}.md`), 'utf8')
}

/** A link may end with the anchor that GitHub generates for a heading. */
function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const file = path === '' ? `${page}.md` : path
  const place = join(root, 'docs/jobs', file)
  if (!existsSync(place)) return false
  if (heading === undefined) return true
  const headings = readFileSync(place, 'utf8').matchAll(/^#+ (.+)$/gm)
  const names = [...headings].map(([, name]) => name!.toLowerCase().replace(/[^\w -]/g, ''))
  return names.some((name) => name.replaceAll(' ', '-') === heading)
}

function fileOf({ page, line }: Example): string {
  return join(project, `${page}-${line}.ts`)
}

/** Joins the lines of a text, because pages break long lines. */
function onOneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ')
}

function run(words: readonly string[]): Promise<{ error: Error | undefined; printed: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...words], { cwd: project }, (error, stdout, stderr) => {
      resolve({ error: error ?? undefined, printed: stdout + stderr })
    })
  })
}
