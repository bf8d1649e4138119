// Maps a group id or a transactional id to a partition of its coordinator's topic. The rule is
// Kafka's, so that Kafka's tools, and a broker that takes the data directory over, look in the same
// partition.

/** Java's String.hashCode, as an int32. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

export function coordinatorPartition(id: string, partitionCount: number): number {
  return (javaHashCode(id) & 0x7fffffff) % partitionCount
}
