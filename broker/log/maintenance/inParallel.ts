// Runs work on many partitions with bounded concurrency: enough to keep the disk busy, without
// thousands of open operations.

const usuallyAtOnce = 8

/**
 * Runs `work` on every item, even if some fail. Throws the first failure after all have ended, so
 * that no work is left running when the caller retries.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
  atOnce = usuallyAtOnce,
): Promise<void> {
  let next = 0
  const failures: unknown[] = []
  const worker = async () => {
    while (next < items.length) {
      try {
        await work(items[next++]!)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
}
