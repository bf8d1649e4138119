// The ways in which jest loads the package from node_modules, as JavaScript: with `require`, and
// with `import` under Node's flag for ES modules in jest. The types are stripped for this, as by
// `npm run build`.

import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const modules = join(root, 'node_modules')
const rooms = ['broker', 'protocol']
const timeoutMs = 180_000
let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'millrace-jest-'))
  await mkdir(join(project, 'node_modules'))
  for (const name of await readdir(modules)) {
    if (!name.startsWith('.'))
      await symlink(join(modules, name), join(project, 'node_modules', name))
  }
  await stripInto(join(project, 'node_modules/millrace'))
  await writeFile(join(project, 'package.json'), '{ "type": "commonjs" }')
  const body = `
    test('a record', async () => {
      const broker = await startBroker({ topics: ['orders'] })
      await broker.produce('orders', ['a'])
      expect(await broker.records('orders')).toMatchObject([{ value: 'a' }])
      await expect(broker.records('other')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(broker.records('other')).rejects.toThrow('topic other does not exist')
      await broker.close()
    })`
  const startOnDemand = 'const startBroker = async (...all) =>'
  await write('required', 'cjs', `const { startBroker } = require('millrace/testing')${body}`)
  await write(
    'imported-late',
    'cjs',
    `${startOnDemand} (await import('millrace/testing')).startBroker(...all)${body}`,
  )
  await write('imported', 'mjs', `import { startBroker } from 'millrace/testing'${body}`)
}, timeoutMs)

afterAll(() => rm(project, { recursive: true, force: true }))

it.each([
  ['required', false, true],
  ['required', true, true],
  ['imported-late', false, false],
  ['imported-late', true, true],
  ['imported', true, true],
] as const)(
  '%s, with the flag: %s, passes: %s',
  async (name, hasFlag, passes) => {
    const { error, printed } = await jest(name, hasFlag)
    expect(error === undefined, printed).toBe(passes)
    if (!passes) expect(printed).toContain('experimental-vm-modules')
  },
  timeoutMs,
)

function write(name: string, extension: string, code: string): Promise<void> {
  return writeFile(join(project, `${name}.test.${extension}`), code)
}

function jest(name: string, hasFlag: boolean) {
  const config = {
    rootDir: project,
    testMatch: [`**/${name}.test.*`],
    transform: {},
    watchman: false,
    testTimeout: 60_000,
  }
  const words = [
    join(modules, 'jest/bin/jest.js'),
    '--config',
    JSON.stringify(config),
    '--runInBand',
  ]
  const { NODE_OPTIONS: _, VITEST: __, VITEST_WORKER_ID: ___, ...env } = process.env
  const options = { cwd: project, env, timeout: timeoutMs, killSignal: 'SIGKILL' } as const
  const flags = hasFlag ? ['--experimental-vm-modules'] : []
  return new Promise<{ error: Error | undefined; printed: string }>((resolve) => {
    execFile(
      process.execPath,
      [...flags, ...words, '--forceExit'],
      options,
      (error, stdout, stderr) => {
        resolve({ error: error ?? undefined, printed: stdout + stderr })
      },
    )
  })
}

/** JavaScript in place of TypeScript, at the same paths. */
async function stripInto(target: string): Promise<void> {
  for (const room of rooms) {
    for (const path of await readdir(join(root, room), { recursive: true })) {
      const from = join(room, path)
      const to = join(target, from)
      if (path.endsWith('.cjs')) await cp(join(root, from), to)
      if (!path.endsWith('.ts')) continue
      const code = stripTypeScriptTypes(await readFile(join(root, from), 'utf8'))
      await mkdir(dirname(to), { recursive: true })
      const named = code.replace(/(\b(?:from|import)\s*\(?\s*'\.[^']+)\.ts'/g, "$1.js'")
      await writeFile(to.replace(/\.ts$/, '.js'), named)
    }
  }
  const { exports, ...manifest } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const testing = {
    import: './broker/testing/testing.js',
    require: exports['./testing'].require,
  }
  const published = { ...manifest, exports: { './testing': testing } }
  await writeFile(join(target, 'package.json'), JSON.stringify(published))
}
