// A disk for a job that must die after a batch has run and before the batch is committed.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'

/** Wraps a disk so that writes to the commit log fail. */
export function withoutCommits(disk: Disk): Disk {
  return {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode)
      if (!path.endsWith('commits')) return file
      const write = () => Promise.reject(new Error('the process dies here'))
      return new Proxy(file, {
        get: (target, name) => {
          if (name === 'write') return write
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}
