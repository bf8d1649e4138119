// What the process under fuzz may take of the machine's memory. Input that makes it take more is a
// failure as a crash is: in earnest it would be one.

/** A whole campaign stays well below this, with its disk in memory. */
const mostResidentBytes = 1024 * 1024 * 1024

/** The most that was resident at any time since the process began. Throws when that is too much. */
export function checkedPeakBytes(): number {
  const peakBytes = process.resourceUsage().maxRSS * 1024
  if (peakBytes > mostResidentBytes) {
    throw new Error(
      `${Math.round(peakBytes / 1024 / 1024)} MB were resident, ${mostResidentBytes / 1024 / 1024} MB are allowed`,
    )
  }
  return peakBytes
}
