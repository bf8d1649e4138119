// A log file as a program on a host keeps it: appended to, and renamed to `orders.log.1`, `.2`, ...
// when it is large enough. A renamed file must never be removed before its reader has reached its
// end.

import { basename, dirname, join } from 'node:path'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk/disk.ts'

/** The position of a log's reader in one file. */
export interface ReadPosition {
  readonly inode: number
  /** The newest name under which the reader saw the file. */
  readonly file: string
  readonly pos: number
}

export interface Rotation {
  /** Size at which a file is renamed; a single append may exceed it. */
  readonly fileBytes: number
  /** Returns the durable positions of the reader, from its position file. */
  readonly positions: () => Promise<readonly ReadPosition[]>
}

interface RotatedFile {
  readonly path: string
  readonly inode: number
  readonly sizeBytes: number
}

export class RotatedLog {
  readonly #disk: Disk
  readonly #path: string
  readonly #rotation: Rotation | undefined
  #file: DiskFile | undefined
  #sizeBytes = 0
  #rotated: RotatedFile[] = []
  #lastNumber = 0

  /** `path` is created, or appended to. Without `rotation`, it grows without limit. */
  constructor(disk: Disk, path: string, rotation?: Rotation) {
    this.#disk = disk
    this.#path = path
    this.#rotation = rotation
  }

  async open(): Promise<void> {
    this.#file = await this.#disk.open(this.#path, 'write')
    this.#sizeBytes = (await this.#file.stat()).sizeBytes
    if (this.#rotation) await this.#findRotated()
  }

  /** Appends whole lines. */
  async append(bytes: Buffer): Promise<void> {
    if (this.#rotation && this.#sizeBytes >= this.#rotation.fileBytes) await this.#rotate()
    assert(this.#file !== undefined, 'a log must be opened before it is appended to')
    await this.#file.write([bytes], this.#sizeBytes)
    this.#sizeBytes += bytes.length
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }

  /**
   * Finds files of an earlier run: numbering continues after them, and they are removed like its
   * own.
   */
  async #findRotated(): Promise<void> {
    const directory = dirname(this.#path)
    const name = basename(this.#path)
    for (const entry of await this.#disk.list(directory)) {
      const number = entry.startsWith(`${name}.`) ? entry.slice(name.length + 1) : ''
      if (!/^\d{1,15}$/.test(number)) continue
      this.#lastNumber = Math.max(this.#lastNumber, Number(number))
      const path = join(directory, entry)
      const stat = await this.#disk.stat(path)
      if (stat) this.#rotated.push({ path, inode: stat.inode, sizeBytes: stat.sizeBytes })
    }
  }

  async #rotate(): Promise<void> {
    const file = this.#file!
    const { inode } = await file.stat()
    const path = `${this.#path}.${++this.#lastNumber}`
    await this.#disk.rename(this.#path, path)
    await file.close()
    this.#rotated.push({ path, inode, sizeBytes: this.#sizeBytes })
    this.#file = await this.#disk.open(this.#path, 'write')
    this.#sizeBytes = 0
    await this.#removeRead()
  }

  /**
   * Checks path and inode. An inode alone is not enough: the system gives that of a removed file to
   * a new one, while the reader still has the position in the old one. No two files have the same
   * renamed path.
   */
  async #removeRead(): Promise<void> {
    const positions = await this.#rotation!.positions()
    const isRead = ({ path, inode, sizeBytes }: RotatedFile) =>
      positions.some(
        (position) =>
          position.file === path && position.inode === inode && position.pos >= sizeBytes,
      )
    for (const file of this.#rotated.filter(isRead)) await this.#disk.remove(file.path)
    this.#rotated = this.#rotated.filter((file) => !isRead(file))
  }
}
