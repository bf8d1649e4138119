// The limit on the resident memory of the process under test. An input that exceeds it is a
// failure, because in production it would be an outage.

/** Limit in bytes. A whole campaign stays well below it, with its disk in memory. */
const mostResidentBytes = 1024 * 1024 * 1024

/** Returns the peak resident memory of the process, in bytes. Throws when it exceeds the limit. */
export function checkedPeakBytes(): number {
  const peakBytes = process.resourceUsage().maxRSS * 1024
  if (peakBytes > mostResidentBytes) {
    throw new Error(
      `${Math.round(peakBytes / 1024 / 1024)} MB were resident, ${mostResidentBytes / 1024 / 1024} MB are allowed`,
    )
  }
  return peakBytes
}
