// The pages for installation and operation: every link has a target, every command that the pages
// name exists, and every question of an operator has an answer.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addJobCommands } from '../../engine/commandLine/jobCommandLine.ts'
import { millrace } from '../endToEnd/programs.ts'

const root = join(import.meta.dirname, '../..')
const pages = ['README.md', 'docs/operating.md', 'docs/deploy/README.md']
const read = (page: string) => readFileSync(join(root, page), 'utf8')

describe.each(pages)('%s', (page) => {
  test('has no dead links', () => {
    const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!)
    expect(links.length).toBeGreaterThan(3)
    expect(links.filter((link) => !link.includes('://') && !leadsSomewhere(page, link))).toEqual([])
  })

  test('names only commands of jobs that exist', () => {
    const program = new Command('millrace')
    addJobCommands(program, '0.0.0')
    const job = program.commands.find((command) => command.name() === 'job')!
    const known = job.commands.map((command) => command.name())
    const named = [...read(page).matchAll(/millrace job ([a-z]+)/g)].map(([, name]) => name!)
    expect(named.filter((name) => !known.includes(name))).toEqual([])
  })
})

test('the handbook answers twenty questions', () => {
  const [, table] = /\n\| question \| answer \|\n\|---\|---\|\n([\s\S]*?)\n\n/.exec(
    read('docs/operating.md'),
  )!
  const rows = table!.split('\n')
  expect(rows).toHaveLength(20)
  for (const row of rows) expect(row).toMatch(/^\| [^|]+[?s] \| \S[^|]{10,} \|$/)
})

test('the first page names commands and scripts that exist', async () => {
  const help = await millrace('--help')
  for (const command of ['demo', 'broker', 'agent', 'job']) {
    expect(help.stdout).toContain(`\n  ${command} `)
    expect(read('README.md')).toContain(`\`millrace ${command}`)
  }
  const manifest = JSON.parse(read('package.json'))
  for (const script of ['build', 'demo', 'test', 'check', 'bench', 'docs']) {
    expect(manifest.scripts).toHaveProperty(script)
  }
  expect(read('README.md')).toContain(`millrace-${manifest.version}.tgz`)
})

/** A link may end with the anchor that GitHub generates for a heading. */
function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const file = path === '' ? join(root, page) : join(root, dirname(page), path)
  if (!existsSync(file)) return false
  if (heading === undefined) return true
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)
  const names = [...headings].map(([, name]) => name!.toLowerCase().replace(/[^\w -]/g, ''))
  return names.some((name) => name.replaceAll(' ', '-') === heading)
}
