// The connections of a test's clients to the broker: those that have sent a request and are still open.

import type { RequestContext } from '../server/request/requestContext.ts'

interface Client {
  readonly clientId: string
  readonly disconnect: RequestContext['disconnect']
}

export class ClientConnections {
  /** By what is aborted when the connection ends. */
  readonly #clients = new Map<AbortSignal, Client>()

  /** A request has come. */
  note({ stopWaiting, clientId, disconnect }: RequestContext): void {
    const known = this.#clients.get(stopWaiting)
    if (known?.clientId === clientId || stopWaiting.aborted) return
    if (known === undefined) {
      stopWaiting.addEventListener('abort', () => this.#clients.delete(stopWaiting), { once: true })
    }
    this.#clients.set(stopWaiting, { clientId, disconnect })
  }

  /** The client id of each connection, which several may share. */
  get clientIds(): string[] {
    return Array.from(this.#clients.values(), ({ clientId }) => clientId)
  }

  /** Closes those of a client id, or all; how many there were. */
  close(clientId: string | undefined): number {
    const closing = [...this.#clients.values()].filter(
      (client) => clientId === undefined || client.clientId === clientId,
    )
    for (const { disconnect } of closing) disconnect('the test closes the connection')
    return closing.length
  }
}
