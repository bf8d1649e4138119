// Work on many partitions: a few at a time, so that neither the disk waits for us nor we hold
// thousands of operations open.

const usuallyAtOnce = 8

/** Runs `work` on every item, a few at a time; the first failure ends it. */
export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
  atOnce = usuallyAtOnce,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}
