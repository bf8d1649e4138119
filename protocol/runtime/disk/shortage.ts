// Tells a shortage, which passes when space or files are freed, from other errors of the system.

const outOfSpaceCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
const outOfFilesCodes: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])

/** Whether an operation failed because the disk or the quota is full. */
export function isDiskFull(error: unknown): boolean {
  return outOfSpaceCodes.has(codeOf(error))
}

/** Whether an operation failed for lack of space or of open files. */
export function isSystemShortage(error: unknown): boolean {
  return isDiskFull(error) || outOfFilesCodes.has(codeOf(error))
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : ''
}
