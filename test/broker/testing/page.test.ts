// Runs every example of docs/testing-clients.md unchanged, with the runner that the page names, in
// a project with Millrace, the clients and the runners as dependencies.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/testing-clients.md'), 'utf8')
const modules = join(root, 'node_modules')

interface Example {
  readonly runner: string
  /** Line of the page on which the code begins. */
  readonly line: number
  readonly code: string
}

/** A runner is a process with child processes, on a machine that may be busy. */
const timeoutMs = 180_000
const exampleTimeoutMs = 60_000

const runners: Readonly<
  Record<string, { readonly extension: string; readonly words: (directory: string) => string[] }>
> = {
  vitest: {
    extension: 'test.js',
    words: (directory) => [
      join(modules, 'vitest/vitest.mjs'),
      'run',
      '--root',
      directory,
      '--testTimeout',
      String(exampleTimeoutMs),
    ],
  },
  'node:test': {
    extension: 'test.js',
    words: (directory) => ['--test', '--test-force-exit', join(directory, '*.test.js')],
  },
  jest: {
    extension: 'test.cjs',
    words: (directory) => [
      join(modules, 'jest/bin/jest.js'),
      '--config',
      // Nothing on the page needs Babel, which takes longer than everything else.
      JSON.stringify({
        rootDir: directory,
        testMatch: ['**/*.test.cjs'],
        transform: {},
        watchman: false,
      }),
      '--runInBand',
      // A test that failed leaves its broker open.
      '--forceExit',
      '--testTimeout',
      String(exampleTimeoutMs),
    ],
  },
}
const examples = [...page.matchAll(/^```js ?([^\n]*)\n(.*?)^```$/gms)].map(
  ({ 1: runner, 2: code, index }): Example => {
    return { runner: runner!, line: page.slice(0, index).split('\n').length + 1, code: code! }
  },
)
let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'millrace-testing-page-'))
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  const packages = ['kafkajs', '@platformatic/kafka', 'vitest']
  for (const name of packages) {
    await mkdir(dirname(join(project, 'node_modules', name)), { recursive: true })
    await symlink(join(modules, name), join(project, 'node_modules', name))
  }
  await symlink(root, join(project, 'node_modules/millrace'))
})

afterAll(() => rm(project, { recursive: true, force: true }))

describe('docs/testing-clients.md', () => {
  test('has examples for each runner and nothing else', () => {
    expect(new Set(examples.map(({ runner }) => runner))).toEqual(new Set(Object.keys(runners)))
  })

  test('has no dead links', () => {
    const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link!)
    expect(links.filter((link) => !existsSync(join(root, 'docs', link)))).toEqual([])
  })

  test.each(Object.keys(runners))(
    'the examples for %s pass',
    async (runner) => {
      const { error, printed } = await runAll(
        runner,
        examples.filter((each) => each.runner === runner),
      )
      expect(error, printed).toBeUndefined()
    },
    timeoutMs,
  )

  test.each(Object.keys(runners))(
    'a wrong example for %s fails',
    async (runner) => {
      const example = examples.find((each) => each.runner === runner)!
      const code = example.code.replaceAll(
        "'a book'",
        "'a book' + String(globalThis.pages = (globalThis.pages ?? 0) + 1)",
      )
      expect(code).not.toBe(example.code)
      expect((await runAll(runner, [{ ...example, code }])).error).toBeDefined()
    },
    timeoutMs,
  )
})

async function runAll(runner: string, files: readonly Example[]) {
  const { extension, words } = runners[runner]!
  const directory = await mkdtemp(join(project, 'examples-'))
  for (const { line, code } of files) {
    await writeFile(join(directory, `line-${line}.${extension}`), code)
  }
  return await new Promise<{ error: Error | undefined; printed: string }>((resolve) => {
    // The runners under test must not detect the runner of this test.
    const { VITEST: _, VITEST_WORKER_ID: __, NODE_OPTIONS: ___, ...env } = process.env
    execFile(
      process.execPath,
      words(directory),
      { cwd: directory, env, timeout: timeoutMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        resolve({ error: error ?? undefined, printed: stdout + stderr })
      },
    )
  })
}
