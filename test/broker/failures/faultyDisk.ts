// A disk that fails on purpose: every system call is announced, those inside an atomic write one by
// one, and may be answered with an error code. Closing a file and reading the limit of open files
// cannot fail.

import { dirname } from 'node:path'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'

/** The error code with which this call fails; undefined lets it through. */
export type Verdict = (operation: string, path: string) => string | undefined

export class FaultyDisk implements Disk {
  readonly #disk: Disk
  readonly #verdict: Verdict

  /** `verdict` is asked before each call. */
  constructor(disk: Disk, verdict: Verdict) {
    this.#disk = disk
    this.#verdict = verdict
  }

  async open(path: string, mode: Parameters<Disk['open']>[1]): Promise<DiskFile> {
    return this.#wrap(await this.#call('open', path, () => this.#disk.open(path, mode)))
  }

  async writeFileAtomic(path: string, content: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`
    const file = await this.open(temporary, 'write')
    await file.truncate(0)
    await file.write([content], 0)
    await file.sync()
    await file.close()
    await this.rename(temporary, path)
    await this.syncDirectory(dirname(path))
  }

  list(path: string): Promise<string[]> {
    return this.#call('list', path, () => this.#disk.list(path))
  }

  stat(path: string) {
    return this.#call('stat', path, () => this.#disk.stat(path))
  }

  readFile(path: string) {
    return this.#call('readFile', path, () => this.#disk.readFile(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call('makeDirectory', path, () => this.#disk.makeDirectory(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', from, () => this.#disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#call('remove', path, () => this.#disk.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.#call('syncDirectory', path, () => this.#disk.syncDirectory(path))
  }

  freeBytes(path: string): Promise<number> {
    return this.#call('freeBytes', path, () => this.#disk.freeBytes(path))
  }

  totalBytes(path: string): Promise<number> {
    return this.#call('totalBytes', path, () => this.#disk.totalBytes(path))
  }

  maxOpenFiles(): Promise<number> {
    return this.#disk.maxOpenFiles()
  }

  lock(path: string) {
    return this.#call('lock', path, () => this.#disk.lock(path))
  }

  async #call<Result>(
    operation: string,
    path: string,
    run: () => Promise<Result>,
  ): Promise<Result> {
    const code = this.#verdict(operation, path)
    if (code !== undefined) throw systemError(code, operation, path)
    return await run()
  }

  #wrap(file: DiskFile): DiskFile {
    const { path } = file
    return {
      path,
      read: (into, position) => this.#call('read', path, () => file.read(into, position)),
      write: (chunks, position) => this.#call('write', path, () => file.write(chunks, position)),
      sync: () => this.#call('sync', path, () => file.sync()),
      truncate: (sizeBytes) => this.#call('truncate', path, () => file.truncate(sizeBytes)),
      stat: () => this.#call('stat', path, () => file.stat()),
      close: () => file.close(),
    }
  }
}

export function systemError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} ${path}`), { code })
}
