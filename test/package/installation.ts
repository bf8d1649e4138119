// The package as users get it: built, packed, and installed from the tarball into an empty project
// and, separately, globally; outside of the checkout, read-only, and run by a user without files in
// the package.

import {
  type ChildProcess,
  execFile,
  type SpawnOptions,
  spawn,
  spawnSync,
} from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
/** `nobody`, so that permissions bind where tests run as root. */
const ordinaryUser = 65534
const isRoot = process.getuid?.() === 0

export interface PackedFile {
  readonly path: string
  readonly size: number
}

export interface Packed {
  readonly tarball: string
  readonly files: readonly PackedFile[]
  readonly packedBytes: number
  readonly unpackedBytes: number
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class Installation {
  /** Everything is below this. */
  readonly directory: string
  /** `npm run build` writes here. */
  readonly built: string
  /** A project that has millrace among its dependencies, with TypeScript. */
  readonly project: string
  /** The prefix of `npm install --global`. */
  readonly global: string
  /** Home of the user who runs the programs. */
  readonly home: string
  #packed: Packed | undefined
  #children: ChildProcess[] = []

  private constructor(directory: string) {
    this.directory = directory
    this.built = join(this.directory, 'dist')
    this.project = join(this.directory, 'project')
    this.global = join(this.directory, 'global')
    this.home = join(this.directory, 'home')
  }

  static async create(): Promise<Installation> {
    const directory = fs.mkdtempSync(join(tmpdir(), 'millrace-package-'))
    fs.chmodSync(directory, 0o755)
    const installation = new Installation(directory)
    try {
      await installation.#install()
      return installation
    } catch (error) {
      await installation.remove()
      throw error
    }
  }

  get packed(): Packed {
    return this.#packed!
  }

  #makeHome(): void {
    fs.mkdirSync(this.home)
    fs.mkdirSync(this.work)
    if (isRoot)
      for (const path of [this.home, this.work]) fs.chownSync(path, ordinaryUser, ordinaryUser)
  }

  /** Directory in the project that the user may write to. */
  get work(): string {
    return join(this.project, 'work')
  }

  get globalBin(): string {
    return join(this.global, 'bin', 'millrace')
  }

  get projectBin(): string {
    return join(this.project, 'node_modules', '.bin', 'millrace')
  }

  /** Runs a program of the package to its end. `node` is found by its name, as a shell does. */
  async run(node: string, command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = this.start(node, command, options)
    const { promise, resolve } = Promise.withResolvers<number | null>()
    child.once('close', resolve)
    const streams = { stdout: '', stderr: '' }
    child.stdout!.on('data', (chunk: Buffer) => {
      streams.stdout += chunk
    })
    child.stderr!.on('data', (chunk: Buffer) => {
      streams.stderr += chunk
    })
    return { code: await promise, ...streams }
  }

  start(
    node: string,
    [command, ...words]: readonly string[],
    { cwd = this.work, environment = {} }: RunOptions = {},
  ): ChildProcess {
    const options: SpawnOptions = {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${dirname(this.#reachable(node))}:${process.env.PATH}`,
        HOME: this.home,
        ...environment,
      },
      ...(isRoot && { uid: ordinaryUser, gid: ordinaryUser }),
    }
    const child = spawn(command!, words, options)
    this.#children.push(child)
    return child
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    await must('chmod', ['-R', 'u+w', this.directory], this.directory)
    fs.rmSync(this.directory, { recursive: true, force: true })
  }

  async #pack(): Promise<Packed> {
    await must(process.execPath, ['.ci/build.mjs', '--out', this.built], root)
    const words = ['pack', '--json', '--pack-destination', this.directory, this.built]
    const [packed] = JSON.parse(await must('npm', words, this.directory)) as {
      filename: string
      files: PackedFile[]
      size: number
      unpackedSize: number
    }[]
    return {
      tarball: join(this.directory, packed!.filename),
      files: packed!.files,
      packedBytes: packed!.size,
      unpackedBytes: packed!.unpackedSize,
    }
  }

  async #install(): Promise<void> {
    this.#packed = await this.#pack()
    const { devDependencies } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))
    fs.mkdirSync(this.project)
    fs.writeFileSync(join(this.project, 'package.json'), '{ "private": true, "type": "module" }\n')
    const { tarball } = this.packed
    const quiet = [
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--json=false',
      '--loglevel=error',
    ]
    const compilers = ['typescript', '@types/node'].map(
      (name) => `${name}@${devDependencies[name]}`,
    )
    await Promise.all([
      must('npm', ['install', ...quiet, tarball, ...compilers], this.project),
      must(
        'npm',
        ['install', '--global', '--prefix', this.global, ...quiet, tarball],
        this.directory,
      ),
    ])
    for (const path of [this.project, this.global]) {
      await must('chmod', ['-R', 'a-w,a+rX', path], path)
    }
    // The user writes its own files here.
    fs.chmodSync(this.project, 0o755)
    this.#makeHome()
  }

  /**
   * Returns an executable of Node that the user can run: a home directory above the checkout may be
   * inaccessible to other users.
   */
  #reachable(node: string): string {
    const user = isRoot ? { uid: ordinaryUser, gid: ordinaryUser } : {}
    if (spawnSync(node, ['--version'], user).status === 0) return node
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
    const copy = join(this.directory, version, 'node')
    if (fs.existsSync(copy)) return copy
    fs.mkdirSync(dirname(copy))
    fs.copyFileSync(node, copy)
    fs.chmodSync(copy, 0o755)
    return copy
  }
}

export interface RunOptions {
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * Resolves with the first match of `pattern` in the output of the child; fails when the child ends
 * before.
 */
export function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let text = ''
  return new Promise((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      text += chunk
      const match = pattern.exec(text)
      if (match) resolve(match)
    }
    child.stdout!.on('data', listen)
    child.stderr!.on('data', listen)
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`ended with ${code}:\n${text}`)))
  })
}

/** Sends SIGTERM to the child, as an operator does; resolves with its exit code. */
export function terminated(child: ChildProcess): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>()
  child.once('close', resolve)
  child.kill('SIGTERM')
  return promise
}

/** Runs a command. Resolves with its standard output; fails with its whole output. */
function must(command: string, words: readonly string[], cwd: string): Promise<string> {
  // A user does not have the settings of `npm test`.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$/i.test(name)),
  )
  return new Promise((resolve, reject) => {
    const options = { cwd, env, maxBuffer: 64 * 1024 * 1024 }
    execFile(command, words, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${command} ${words.join(' ')}: ${error.message}\n${stdout}${stderr}`))
    })
  })
}
