import { MessageChannel, Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import { type Network, NetworkError } from '../../../../protocol/runtime/network/network.ts'
import { portNetwork, servePortNetwork } from '../../../../protocol/runtime/network/portNetwork.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { networkConformance } from './networkConformance.ts'

function through(network: Network, transfer: boolean) {
  const { port1, port2 } = new MessageChannel()
  const served = servePortNetwork(port1, network, { transfer })
  return { client: portNetwork(port2), server: network, close: () => served.close() }
}

networkConformance('portNetwork over memory', () => through(memoryNetwork(), false))
networkConformance('portNetwork over TCP, moving memory', () => through(tcpNetwork, true))

describe('portNetwork', () => {
  const closers: (() => void)[] = []
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })

  test('a worker cannot listen', async () => {
    const { client, close } = through(memoryNetwork(), false)
    closers.push(close)
    const failure = await client.listen({ host: 'x', port: 1 }, () => {}).catch((error) => error)
    expect(failure).toBeInstanceOf(NetworkError)
    expect(failure.code).toBe('ADDRESS_NOT_AVAILABLE')
  })

  test('closing the port breaks connections and fails new ones', async () => {
    const network = memoryNetwork()
    const { client, close } = through(network, false)
    const listener = await network.listen({ host: 'broker', port: 1 }, (connection) =>
      connection.start({ onData() {}, onDrain() {}, onClose() {} }),
    )
    const connection = await client.connect(listener.address, 1000)
    const closed = new Promise<Error | undefined>((resolve) =>
      connection.start({ onData() {}, onDrain() {}, onClose: resolve }),
    )
    close()
    expect(await closed).toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(client.connect(listener.address, 1000)).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
  })

  test('a worker thread connects through the main thread and exits by itself', async () => {
    const network = memoryNetwork()
    const listener = await network.listen({ host: 'broker', port: 1 }, (connection) =>
      connection.start({
        onData: (chunk) => connection.write([chunk]),
        onDrain() {},
        onClose() {},
      }),
    )
    const { port1, port2 } = new MessageChannel()
    const served = servePortNetwork(port1, network)
    closers.push(() => served.close())
    const code = `
      import { parentPort, workerData } from 'node:worker_threads'
      const { portNetwork } = await import(workerData.module)
      const connection = await portNetwork(workerData.port).connect(workerData.address, 1000)
      let bytes = 0
      connection.start({
        onData(chunk) { bytes += chunk.length; if (bytes === 4_000_000) connection.end() },
        onDrain() {},
        onClose() { parentPort.postMessage(bytes) },
      })
      for (let at = 0; at < 40; at++) connection.write([new Uint8Array(100_000)])
    `
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: {
        module: new URL('../../../../protocol/runtime/network/portNetwork.ts', import.meta.url)
          .href,
        port: port2,
        address: listener.address,
      },
      transferList: [port2],
    })
    const echoed = new Promise((resolve, reject) =>
      worker.on('message', resolve).on('error', reject),
    )
    const exited = new Promise((resolve) => worker.on('exit', resolve))
    expect(await echoed).toBe(4_000_000)
    expect(await exited).toBe(0)
  })
})
