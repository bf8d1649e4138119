// Ports of servers that people find under a usual number, and that must start beside another program.

/**
 * Starts a server on the port asked for. Without one, on the usual port, or on a free one when the usual
 * port is in use.
 */
export async function onUsualPort<T>(
  wanted: number | undefined,
  usual: number,
  start: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await start(wanted ?? usual)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    // A Kafka listener's error, or an HTTP server's.
    const isInUse = code === 'ADDRESS_IN_USE' || code === 'PORT_IN_USE'
    if (wanted !== undefined || !isInUse) throw error
    return await start(0)
  }
}
