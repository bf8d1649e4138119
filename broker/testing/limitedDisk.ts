// A disk that a test can fill and free. With a disk in memory, it also bounds the memory of the
// files. A full disk refuses writes with the system's error; deleting files frees space. Sizes are
// counted in bytes, not in blocks.

import type {
  Disk,
  DiskFile,
  DiskLock,
  DiskMode,
  DiskStat,
} from '../../protocol/runtime/disk/disk.ts'

export class LimitedDisk implements Disk {
  readonly #disk: Disk
  /** Free bytes; undefined: no limit of its own. */
  #roomBytes: number | undefined
  /** Free bytes before `fill`, to be restored. */
  #taken: { readonly roomBytes: number | undefined } | undefined

  /** `sizeBytes` is the size of the disk. Default: the size of the underlying disk. */
  constructor(disk: Disk, sizeBytes?: number) {
    this.#disk = disk
    this.#roomBytes = sizeBytes
  }

  get hasRoom(): boolean {
    return this.#roomBytes === undefined || this.#roomBytes > 0
  }

  /** Takes all free space, as if other processes had written. */
  fill(): void {
    this.#taken ??= { roomBytes: this.#roomBytes }
    this.#roomBytes = 0
  }

  /** Restores the space taken by `fill`. */
  free(): void {
    if (this.#taken === undefined) return
    const { roomBytes } = this.#taken
    this.#taken = undefined
    this.#roomBytes = roomBytes === undefined ? undefined : roomBytes + this.#roomBytes!
  }

  async open(path: string, mode: DiskMode): Promise<DiskFile> {
    if (mode !== 'read' && !this.hasRoom && !(await this.#exists(path))) throw noSpace('open', path)
    return this.#limited(await this.#disk.open(path, mode))
  }

  list(directory: string): Promise<string[]> {
    return this.#disk.list(directory)
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.#disk.stat(path)
  }

  readFile(path: string): Promise<Buffer | undefined> {
    return this.#disk.readFile(path)
  }

  async writeFileAtomic(path: string, content: Uint8Array): Promise<void> {
    // The old content is removed after the new content is written.
    this.#take(content.length, 'write', path)
    this.#give((await this.#disk.stat(path))?.sizeBytes ?? 0)
    await this.#disk.writeFileAtomic(path, content)
  }

  async makeDirectory(directory: string): Promise<void> {
    if (!this.hasRoom && !(await this.#exists(directory))) throw noSpace('mkdir', directory)
    await this.#disk.makeDirectory(directory)
  }

  async rename(from: string, to: string): Promise<void> {
    const replaced = from === to ? 0 : await this.#bytesUnder(to)
    await this.#disk.rename(from, to)
    this.#give(replaced)
  }

  async remove(path: string): Promise<void> {
    const bytes = await this.#bytesUnder(path)
    await this.#disk.remove(path)
    this.#give(bytes)
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#disk.syncDirectory(directory)
  }

  async freeBytes(directory: string): Promise<number> {
    return this.#roomBytes ?? (await this.#disk.freeBytes(directory))
  }

  maxOpenFiles(): Promise<number> {
    return this.#disk.maxOpenFiles()
  }

  totalBytes(directory: string): Promise<number> {
    return this.#disk.totalBytes(directory)
  }

  lock(directory: string): Promise<DiskLock> {
    return this.#disk.lock(directory)
  }

  #limited(file: DiskFile): DiskFile {
    const grow = async (operation: string, sizeBytes: number) => {
      if (this.#roomBytes === undefined) return
      const stat = await file.stat()
      if (sizeBytes > stat.sizeBytes) this.#take(sizeBytes - stat.sizeBytes, operation, file.path)
      else if (operation === 'truncate') this.#give(stat.sizeBytes - sizeBytes)
    }
    return {
      path: file.path,
      read: (into, position) => file.read(into, position),
      async write(chunks, position) {
        const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
        await grow('write', position + bytes)
        await file.write(chunks, position)
      },
      sync: () => file.sync(),
      async truncate(sizeBytes) {
        await grow('truncate', sizeBytes)
        await file.truncate(sizeBytes)
      },
      stat: () => file.stat(),
      close: () => file.close(),
    }
  }

  #take(bytes: number, operation: string, path: string): void {
    if (this.#roomBytes === undefined || bytes === 0) return
    if (bytes > this.#roomBytes) throw noSpace(operation, path)
    this.#roomBytes -= bytes
  }

  #give(bytes: number): void {
    if (this.#roomBytes !== undefined) this.#roomBytes += bytes
  }

  async #exists(path: string): Promise<boolean> {
    return (await this.#disk.stat(path)) !== undefined
  }

  /** Bytes of the file, or of all files in the directory; read only while they are counted. */
  async #bytesUnder(path: string): Promise<number> {
    if (this.#roomBytes === undefined) return 0
    const stat = await this.#disk.stat(path)
    if (stat === undefined) return 0
    if (!stat.isDirectory) return stat.sizeBytes
    let bytes = 0
    for (const name of await this.#disk.list(path))
      bytes += await this.#bytesUnder(`${path}/${name}`)
    return bytes
  }
}

/** The system's error for a full disk. */
export function noSpace(operation: string, path: string): Error {
  const message = `ENOSPC: no space left on device, ${operation} '${path}'`
  return Object.assign(new Error(message), { code: 'ENOSPC', syscall: operation, path })
}
