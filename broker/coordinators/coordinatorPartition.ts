// The partition of a coordinator's topic that a group or a transactional id belongs to. Kafka's
// rule, so that Kafka's tools, and a broker that takes over the data directory, find the same
// partition.

/** Returns Java's String.hashCode, an int32. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

export function coordinatorPartition(id: string, partitionCount: number): number {
  return (javaHashCode(id) & 0x7fffffff) % partitionCount
}
