// Another commit of this repository in its own directory, ready to run: its product, measured by
// the benchmarks of this commit, so that both are measured alike.

import { execFile } from 'node:child_process'
import { cp, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { GateError } from './gateError.ts'

const run = promisify(execFile)
const benchmarks = join('test', 'bench')

export interface OtherCommit {
  readonly hash: string
  readonly subject: string
}

/**
 * The commit to compare with if none is named: HEAD if files differ from it, otherwise the commit
 * at which this branch left its upstream, otherwise the one before HEAD.
 */
export async function commitByDefault(root: string): Promise<string> {
  if ((await git(root, 'status', '--porcelain', '--untracked-files=no')) !== '') return 'HEAD'
  try {
    const base = await git(root, 'merge-base', 'HEAD', '@{upstream}')
    if (base !== (await git(root, 'rev-parse', 'HEAD'))) return base
  } catch {
    // A branch without an upstream.
  }
  return 'HEAD~1'
}

/** Throws a GateError if `commit` does not exist. */
export async function findCommit(root: string, commit: string): Promise<OtherCommit> {
  try {
    const hash = await git(root, 'rev-parse', '--verify', '--quiet', `${commit}^{commit}`)
    return { hash, subject: await git(root, 'log', '-1', '--format=%s', hash) }
  } catch (error) {
    throw new GateError(`${commit} is not a commit of this repository: name one, such as HEAD~1`, {
      cause: error,
    })
  }
}

/** Checks the commit out into `directory`, which must not exist, with packages installed. */
export async function checkOut(
  root: string,
  { hash }: OtherCommit,
  directory: string,
  { ownBenchmarks }: { readonly ownBenchmarks: boolean },
): Promise<void> {
  await git(root, 'clone', '--quiet', '--no-checkout', '--shared', root, directory)
  await git(directory, 'checkout', '--quiet', '--detach', hash)
  if (!ownBenchmarks) {
    await rm(join(directory, benchmarks), { recursive: true, force: true })
    await cp(join(root, benchmarks), join(directory, benchmarks), { recursive: true })
  }
  await installPackages(root, directory)
}

/** Equal packages are shared, others are installed. */
async function installPackages(root: string, directory: string): Promise<void> {
  const [here, there] = await Promise.all(
    [root, directory].map((where) => readFile(join(where, 'package-lock.json'), 'utf8')),
  )
  if (here === there) {
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    return
  }
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: directory })
}

async function git(directory: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', directory, ...args])
  return stdout.trimEnd()
}
