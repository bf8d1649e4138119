// The process on this machine that listens on a port, to measure memory and processor time of a
// broker that the benchmark may not have started. Linux only; the process is unknown elsewhere, and
// if it belongs to another user.

import { readdir, readFile, readlink } from 'node:fs/promises'

/** The state of a listening socket in /proc/net/tcp. */
const listening = '0A'

/** Returns the id of the process, or undefined if no such process is visible. */
export async function portOwner(port: number): Promise<number | undefined> {
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const inode of await listeningInodes(table, port)) inodes.add(inode)
  }
  if (inodes.size === 0) return undefined
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await holds(name, inodes))) return Number(name)
  }
  return undefined
}

async function listeningInodes(table: string, port: number): Promise<string[]> {
  const text = await readFile(table, 'latin1').catch(() => '')
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === listening)
    .map((fields) => fields[9]!)
}

async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? []
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}
