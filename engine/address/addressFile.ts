// `address.json` in a job's directory: the address of the running job. A killed process leaves its
// file behind, so a reader must check that the job at the address has the expected id.

import { join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'

export interface JobAddress {
  /** For example `http://127.0.0.1:41234`. */
  readonly url: string
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly startedMs: number
}

const fileName = 'address.json'

export async function writeAddress(
  disk: Pick<Disk, 'writeFileAtomic'>,
  directory: string,
  address: JobAddress,
): Promise<void> {
  const content = Buffer.from(`${JSON.stringify(address)}\n`)
  await disk.writeFileAtomic(join(directory, fileName), content)
}

/** Returns undefined for a missing or malformed file, which is only a hint. */
export async function readAddress(
  disk: Pick<Disk, 'readFile'>,
  directory: string,
): Promise<JobAddress | undefined> {
  const content = await disk.readFile(join(directory, fileName))
  if (content === undefined) return undefined
  try {
    const found = JSON.parse(content.toString()) as Partial<JobAddress> | null
    const isAddress =
      typeof found?.url === 'string' && typeof found.id === 'string' && Number.isInteger(found.pid)
    return isAddress ? (found as JobAddress) : undefined
  } catch {
    return undefined
  }
}

export async function removeAddress(disk: Pick<Disk, 'remove'>, directory: string): Promise<void> {
  await disk.remove(join(directory, fileName))
}
