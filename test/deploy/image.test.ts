// The image without a container: the built package runs as another user from read-only files, with
// exactly the environment, the command, the health check and the signal of the Dockerfile. Only
// paths and ports differ.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, readFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../endToEnd/programs.ts'
import { environmentOf, execForm, instructionsOf, lastStage } from './dockerfile.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const folder = join(root, 'docs/deploy/container')
const image = lastStage(instructionsOf(readFileSync(join(folder, 'Dockerfile'), 'utf8')))
const of = (name: string) => image.find((instruction) => instruction.name === name)!.text
/** Only root can switch to the user of the image; other users run the package as themselves. */
const [uid, gid] = of('USER').split(':').map(Number)
const other = process.getuid?.() === 0 ? { uid: uid!, gid: gid! } : {}

let directory: string
/** Ports and paths in the container, each with its replacement in this test. */
const names: [string, string][] = []
const here = (text: string) => names.reduce((all, [from, to]) => all.replaceAll(from, to), text)

beforeAll(async () => {
  directory = await fs.mkdtemp(join(tmpdir(), 'millrace-image-'))
  chmodSync(directory, 0o755)
  for (const port of ['19092', '9092', '9404']) names.push([port, String(await freePort())])
  names.push(['/opt/millrace', join(directory, 'opt')])
  names.push(['/etc/millrace', join(directory, 'etc')])
  names.push(['/var/lib/millrace', join(directory, 'state')])
  names.push(['/tmp/cache', join(directory, 'cache')])
  await install()
  await fs.mkdir(join(directory, 'etc'))
  const properties = await fs.readFile(join(folder, 'server.properties'), 'utf8')
  await fs.writeFile(here('/etc/millrace/server.properties'), here(properties))
  await fs.mkdir(here('/var/lib/millrace'), { mode: 0o750 })
  if (other.uid !== undefined) chownSync(here('/var/lib/millrace'), other.uid, other.gid)
  await run('chmod', ['-R', 'a-w', join(directory, 'opt'), join(directory, 'etc')])
  // The timeout covers a build of the whole program.
}, 300_000)
afterAll(async () => {
  await run('chmod', ['-R', 'u+w', directory])
  await fs.rm(directory, { recursive: true, force: true })
})

/**
 * Installs the built package as `npm install --global` does, with the dependencies of this
 * checkout.
 */
async function install(): Promise<void> {
  const built = join(directory, 'built')
  await run(process.execPath, [join(root, '.ci/build.mjs'), '--out', built])
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory, built], {
    cwd: directory,
  })
  const [{ filename }] = JSON.parse(stdout)
  const modules = join(directory, 'opt/lib/node_modules')
  await fs.mkdir(modules, { recursive: true })
  await run('tar', ['-xzf', join(directory, filename), '-C', modules])
  const installed = join(modules, 'millrace')
  await fs.rename(join(modules, 'package'), installed)
  await fs.symlink(join(root, 'node_modules'), join(installed, 'node_modules'))
  await fs.mkdir(join(directory, 'opt/bin'))
  const { bin } = JSON.parse(await fs.readFile(join(installed, 'package.json'), 'utf8'))
  const program = join(installed, bin.millrace)
  await fs.symlink(program, join(directory, 'opt/bin/millrace'))
  chmodSync(program, 0o755)
}

/** Starts a process as the image does. */
function start(words: readonly string[]) {
  const [program, ...args] = words.map(here)
  const environment = environmentOf(here(of('ENV')))
  const path = `${dirname(process.execPath)}:${process.env.PATH}`
  const child = spawn(program!, args, {
    ...other,
    cwd: here(of('WORKDIR')),
    env: { ...environment, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (printed += chunk))
  }
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  return { child, exited, printed: () => printed }
}

test('its broker starts, becomes healthy, writes only to its volume, and stops', async () => {
  const check = execForm(of('HEALTHCHECK'))
  expect(await start(check).exited).toBe(1)
  const broker = start([...execForm(of('ENTRYPOINT')), ...execForm(of('CMD'))])
  try {
    // Repeats the health check until it succeeds, as Docker does. A broker of another test may
    // answer it, too: this one is healthy when it has its volume.
    const hasVolume = () => existsSync(here('/var/lib/millrace/meta.properties'))
    while ((await start(check).exited) !== 0 || !hasVolume()) {
      expect(broker.child.exitCode, broker.printed()).toBe(null)
    }
  } finally {
    broker.child.kill(of('STOPSIGNAL') as NodeJS.Signals)
  }
  expect(await broker.exited, broker.printed()).toBe(0)
  expect(broker.printed()).not.toMatch(/EACCES|EROFS|"level":[56]0/)
  expect(await start(check).exited).toBe(1)
}, 120_000)
