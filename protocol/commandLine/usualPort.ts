// Listens on the well-known port of a server, or on a free port when another program uses it.

/**
 * Starts a server on the wanted port. Without one, starts it on the usual port, or on a free port
 * when the usual one is in use. Fails as `start` does.
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
    // The codes of a Kafka listener and of an HTTP server.
    const isInUse = code === 'ADDRESS_IN_USE' || code === 'PORT_IN_USE'
    if (wanted !== undefined || !isInUse) throw error
    return await start(0)
  }
}
