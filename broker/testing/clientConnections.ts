// The open connections of clients to a test broker; a connection counts from its first request.

import type { RequestContext } from '../server/request/requestContext.ts'

interface Client {
  readonly clientId: string
  readonly disconnect: RequestContext['disconnect']
}

export class ClientConnections {
  /** Clients by the signal that aborts when their connection closes. */
  readonly #clients = new Map<AbortSignal, Client>()

  /** Called for each request. */
  note({ stopWaiting, clientId, disconnect }: RequestContext): void {
    const known = this.#clients.get(stopWaiting)
    if (known?.clientId === clientId || stopWaiting.aborted) return
    if (known === undefined) {
      stopWaiting.addEventListener('abort', () => this.#clients.delete(stopWaiting), { once: true })
    }
    this.#clients.set(stopWaiting, { clientId, disconnect })
  }

  /** Client ids, one per connection; several connections may share one. */
  get clientIds(): string[] {
    return Array.from(this.#clients.values(), ({ clientId }) => clientId)
  }

  /** Closes the connections of a client id, or all; returns their number. */
  close(clientId: string | undefined): number {
    const closing = [...this.#clients.values()].filter(
      (client) => clientId === undefined || client.clientId === clientId,
    )
    for (const { disconnect } of closing) disconnect('closed by the test')
    return closing.length
  }
}
