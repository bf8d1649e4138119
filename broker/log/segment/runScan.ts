// Reads a file for a RecoveryScan until the scan ends. The only I/O of a scan.

import type { DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import type { RecoveryScan } from './recoveryScan.ts'

export async function runScan(file: DiskFile, scan: RecoveryScan): Promise<void> {
  for (let wanted = scan.wantedBytes; wanted > 0; wanted = scan.wantedBytes) {
    const bytes = Buffer.allocUnsafeSlow(wanted)
    const filled = await file.read(bytes, scan.position)
    scan.feed(bytes.subarray(0, filled))
  }
}
