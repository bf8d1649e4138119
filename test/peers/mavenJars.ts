// Published jars that tests and benchmarks run: the first use downloads them from Maven Central
// with their dependencies, into node_modules/.cache. This needs mvn, which the product does not.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const cache = join(import.meta.dirname, '../../node_modules/.cache/peers')

export interface JarSet {
  /** Name of the directory. It includes the versions, so that another version is downloaded. */
  readonly name: string
  /** `group:artifact:version` */
  readonly artifacts: readonly string[]
  /** Contents of further files beside the jars, by name. */
  readonly files?: Readonly<Record<string, string>>
}

const downloads = new Map<string, Promise<string>>()

/** Returns the directory with the jars, which the first use downloads. */
export function mavenJars(jars: JarSet): Promise<string> {
  let downloading = downloads.get(jars.name)
  downloading ??= download(jars)
  downloads.set(jars.name, downloading)
  return downloading
}

async function download({ name, artifacts, files = {} }: JarSet): Promise<string> {
  const directory = join(cache, name)
  if (await exists(directory)) return directory
  const work = join(cache, `download-${name}-${process.pid}`)
  await mkdir(work, { recursive: true })
  try {
    await writeFile(join(work, 'pom.xml'), pom(artifacts))
    const target = `-DoutputDirectory=${join(work, 'jars')}`
    const maven = spawn('mvn', ['-q', '-B', 'dependency:copy-dependencies', target], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = await once(maven, 'exit')
    const found = await readdir(join(work, 'jars')).catch(() => [])
    if (code !== 0 || found.length === 0) throw new Error(`mvn failed to download ${name}`)
    for (const [file, content] of Object.entries(files)) {
      await writeFile(join(work, 'jars', file), content)
    }
    // Atomic; another process may have been faster, with the same contents.
    await rename(join(work, 'jars'), directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return directory
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** Names the dependencies; nothing is compiled. */
function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((text) => {
    const [group, artifact, version] = text.split(':')
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
      `<version>${version}</version></dependency>`
    )
  })
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>millrace</groupId><artifactId>peers</artifactId><version>1</version>' +
    `<dependencies>${dependencies.join('')}</dependencies></project>`
  )
}
