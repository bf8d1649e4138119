// A disk of which parts can fail: every operation on a path below the failed one fails with the
// same error, also on files that are already open.

import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'

export interface FailingDisk extends Disk {
  /** Until `repair`, the named operations fail; all operations without names. */
  fail(path: string, code: string, operations?: readonly string[]): void
  repair(): void
}

export function failingDisk(disk: Disk): FailingDisk {
  let isFailing = (_operation: string, _path: string): string | undefined => undefined
  const attempt = <Result>(operation: string, path: string, run: () => Promise<Result>) => {
    const code = isFailing(operation, path)
    if (code === undefined) return run()
    return Promise.reject(Object.assign(new Error(`${code}: ${operation} ${path}`), { code }))
  }
  const wrap = (file: DiskFile): DiskFile => {
    const { path } = file
    return {
      path,
      read: (into, position) => attempt('read', path, () => file.read(into, position)),
      write: (chunks, position) => attempt('write', path, () => file.write(chunks, position)),
      sync: () => attempt('sync', path, () => file.sync()),
      truncate: (sizeBytes) => attempt('truncate', path, () => file.truncate(sizeBytes)),
      stat: () => attempt('stat', path, () => file.stat()),
      close: () => file.close(),
    }
  }
  return {
    fail(failing, code, operations) {
      isFailing = (operation, path) => {
        const isThere = path === failing || path.startsWith(`${failing}/`)
        return isThere && (operations?.includes(operation) ?? true) ? code : undefined
      }
    },
    repair() {
      isFailing = () => undefined
    },
    open: (path, mode) => attempt('open', path, async () => wrap(await disk.open(path, mode))),
    list: (path) => attempt('list', path, () => disk.list(path)),
    stat: (path) => attempt('stat', path, () => disk.stat(path)),
    readFile: (path) => attempt('readFile', path, () => disk.readFile(path)),
    writeFileAtomic: (path, content) =>
      attempt('write', path, () => disk.writeFileAtomic(path, content)),
    makeDirectory: (path) => attempt('makeDirectory', path, () => disk.makeDirectory(path)),
    rename: (from, to) => attempt('rename', from, () => disk.rename(from, to)),
    remove: (path) => attempt('remove', path, () => disk.remove(path)),
    syncDirectory: (path) => attempt('syncDirectory', path, () => disk.syncDirectory(path)),
    freeBytes: (path) => attempt('stat', path, () => disk.freeBytes(path)),
    maxOpenFiles: () => disk.maxOpenFiles(),
    totalBytes: (path) => attempt('stat', path, () => disk.totalBytes(path)),
    lock: (path) => attempt('lock', path, () => disk.lock(path)),
  }
}
