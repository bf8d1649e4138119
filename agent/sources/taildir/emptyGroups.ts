// Logs the file groups that match no file when a taildir source starts: usually because of a
// mistake in the path or the expression, which would not be visible otherwise.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { isOperational } from '../../../protocol/runtime/operational.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { FileGroup } from './fileGroup.ts'

export async function reportEmptyGroups(
  groups: readonly FileGroup[],
  { disk, logger }: { readonly disk: Disk; readonly logger: Logger },
): Promise<void> {
  for (const { name, directory, pattern } of groups) {
    const fields = { group: name, directory }
    try {
      if ((await disk.stat(directory)) === undefined) {
        logger.warn(fields, `directory ${directory} of file group ${name} does not exist`)
      } else if (!(await disk.list(directory)).some((file) => pattern.test(file))) {
        logger.info(fields, `no file in ${directory} matches file group ${name} yet`)
      }
    } catch (error) {
      // The scan of the source fails in the same way, and logs it.
      if (!isOperational(error)) throw error
      logger.debug({ ...fields, reason: error.message }, 'failed to list directory')
    }
  }
}
