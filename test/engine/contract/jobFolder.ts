// A folder outside this project with a job module and its imports, like a user's project.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

export class JobFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Creates a folder with `files`, given by their paths in the folder. */
  static async create(files: Readonly<Record<string, string>>): Promise<JobFolder> {
    const folder = new JobFolder(await mkdtemp(join(tmpdir(), 'millrace-code-')))
    await mkdir(join(folder.path, 'node_modules'))
    await symlink(root, join(folder.path, 'node_modules', 'millrace'))
    for (const [file, text] of Object.entries(files)) await folder.write(file, text)
    return folder
  }

  file(name: string): string {
    return join(this.path, name)
  }

  async write(file: string, text: string): Promise<void> {
    await mkdir(dirname(this.file(file)), { recursive: true })
    await writeFile(this.file(file), text)
  }

  async replace(file: string, from: string, to: string): Promise<void> {
    await this.write(file, (await readFile(this.file(file), 'utf8')).replace(from, to))
  }

  async remove(file = ''): Promise<void> {
    await rm(this.file(file), { recursive: true, force: true })
  }
}
