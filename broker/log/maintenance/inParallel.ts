// Work on many partitions: a few at a time, so that neither the disk waits for us nor we hold
// thousands of operations open.

const usuallyAtOnce = 8

/**
 * Runs `work` on every item, a few at a time, whichever of them fail. Throws the first failure once all have
 * ended: what still ran would meet what the caller does next, a second try for example.
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
