// A TCP proxy between one member and its server, which cuts the member off without an effect on
// anything else: connections are closed and new ones are refused until it is healed.

import { connect, createServer, type Server, type Socket } from 'node:net'

export class CuttableProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(server: Server) {
    this.#server = server
  }

  /** `target`: host:port. */
  static async start(target: string): Promise<CuttableProxy> {
    const [host, port] = target.split(':')
    const server = createServer()
    const proxy = new CuttableProxy(server)
    server.on('connection', (socket) => proxy.#connected(socket, host!, Number(port)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the proxy is closed')
    return `127.0.0.1:${address.port}`
  }

  setCut(isCut: boolean): void {
    this.#isCut = isCut
    if (isCut) this.#destroyAll()
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#destroyAll()
    await closed
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  #connected(socket: Socket, host: string, port: number): void {
    if (this.#isCut) {
      socket.destroy()
      return
    }
    const other = connect(port, host)
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }
}
